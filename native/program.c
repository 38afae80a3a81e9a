/*
 * The interpreter of command buffers and the threads it runs on.
 *
 * A pool has threads - 1 workers; the caller is thread 0. All threads walk the same commands; where a command carries
 * GATUN_SYNC they meet at a barrier first. Work within a command is shared out by the kernels. A pass can also run on the
 * caller alone, without barriers.
 *
 * Waiting: a short spin, since the next job of a decoding loop comes within microseconds, then sleep on a condition variable,
 * so that an idle session costs nothing. At a barrier threads spin, and yield when that takes long (more threads than cores).
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "kernels.h"

enum { MAX_THREADS = 256, SPINS_BEFORE_YIELD = 2000, SPIN_NANOS = 100000 };

typedef void job(struct gatun_pool *pool, int32_t thread, void *argument);

struct gatun_pool {
    const struct kernels *kernels;
    int32_t threads;
    pthread_t handles[MAX_THREADS];
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    _Atomic uint32_t generation;    /* of the current job */
    _Atomic int32_t running;        /* workers still in it */
    bool closing;
    job *job;
    void *argument;
    _Atomic uint32_t barrier_generation;
    _Atomic int32_t arrived;
    atomic_int *counters;           /* one for each command of a pass */
    int32_t counters_size;
};

struct worker {
    struct gatun_pool *pool;
    int32_t thread;
};

static void relax(int64_t spins) {
    if (spins > SPINS_BEFORE_YIELD) {
        sched_yield();
    } else {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    }
}

static int64_t nanos(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void barrier(struct gatun_pool *pool, int32_t threads) {
    uint32_t generation = atomic_load_explicit(&pool->barrier_generation, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&pool->arrived, 1, memory_order_acq_rel) == threads - 1) {
        atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&pool->barrier_generation, generation + 1, memory_order_release);
        return;
    }
    for (int64_t spins = 0; atomic_load_explicit(&pool->barrier_generation, memory_order_acquire) == generation; spins++) {
        relax(spins);
    }
}

/* Waits for a job other than number `last`; false if the pool closes. */
static bool await_job(struct gatun_pool *pool, uint32_t last) {
    for (int64_t start = nanos(); nanos() - start < SPIN_NANOS;) {
        for (int spins = 0; spins < 64; spins++) {
            if (atomic_load_explicit(&pool->generation, memory_order_acquire) != last) {
                return !pool->closing;
            }
            relax(spins);
        }
    }
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load_explicit(&pool->generation, memory_order_acquire) == last) {
        pthread_cond_wait(&pool->wake, &pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    return !pool->closing;
}

static void *work(void *argument) {
    struct worker worker = *(struct worker *)argument;
    free(argument);
    for (uint32_t last = 0; await_job(worker.pool, last); last++) {
        worker.pool->job(worker.pool, worker.thread, worker.pool->argument);
        atomic_fetch_sub_explicit(&worker.pool->running, 1, memory_order_release);
    }
    return NULL;
}

static void announce(struct gatun_pool *pool) {
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

/* Runs a job on all threads and returns when all are done. */
static void run_on_all(struct gatun_pool *pool, job *run, void *argument) {
    pool->job = run;
    pool->argument = argument;
    atomic_store_explicit(&pool->running, pool->threads - 1, memory_order_relaxed);
    announce(pool);
    run(pool, 0, argument);
    for (int64_t spins = 0; atomic_load_explicit(&pool->running, memory_order_acquire) != 0; spins++) {
        relax(spins);
    }
}

const char *gatun_instruction_set(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni")) {
        return "avx512";
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return "avx2"; /* every processor with both converts halves too */
    }
#elif defined(__aarch64__)
    return "neon";
#endif
    return "portable";
}

static const struct kernels *kernels_named(const char *name) {
    const char *best = gatun_instruction_set();
    if (strcmp(name, "portable") == 0) {
        return &gatun_kernels_portable;
    }
#if defined(__x86_64__)
    if (strcmp(name, "avx2") == 0 && strcmp(best, "portable") != 0) {
        return &gatun_kernels_avx2;
    }
    if (strcmp(name, "avx512") == 0 && strcmp(best, "avx512") == 0) {
        return &gatun_kernels_avx512;
    }
#elif defined(__aarch64__)
    if (strcmp(name, best) == 0) {
        return &gatun_kernels_neon;
    }
#endif
    return NULL;
}

struct gatun_pool *gatun_pool_open(int32_t threads, const char *instruction_set) {
    const struct kernels *kernels = kernels_named(instruction_set);
    if (kernels == NULL || threads < 1 || threads > MAX_THREADS) {
        return NULL;
    }
    struct gatun_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return NULL;
    }
    pool->kernels = kernels;
    pool->threads = 1;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    while (pool->threads < threads) {
        struct worker *worker = malloc(sizeof *worker);
        if (worker == NULL) {
            gatun_pool_close(pool);
            return NULL;
        }
        *worker = (struct worker){pool, pool->threads};
        if (pthread_create(&pool->handles[pool->threads], NULL, work, worker) != 0) {
            free(worker);
            gatun_pool_close(pool);
            return NULL;
        }
        pool->threads++;
    }
    return pool;
}

void gatun_pool_close(struct gatun_pool *pool) {
    pool->closing = true;
    announce(pool);
    for (int32_t thread = 1; thread < pool->threads; thread++) {
        pthread_join(pool->handles[thread], NULL);
    }
    pthread_mutex_destroy(&pool->mutex);
    pthread_cond_destroy(&pool->wake);
    free(pool->counters);
    free(pool);
}

struct execution {
    const struct gatun_command *commands;
    int32_t count;
    int32_t threads;
    const struct gatun_batch *batch;
    uint8_t *scratch;
    int64_t scratch_bytes;
};

static void execute(struct gatun_pool *pool, int32_t thread, void *argument) {
    const struct execution *execution = argument;
    struct share share = {
        .thread = thread,
        .threads = execution->threads,
        .scratch = execution->scratch + thread * execution->scratch_bytes,
    };
    for (int32_t i = 0; i < execution->count; i++) {
        const struct gatun_command *command = &execution->commands[i];
        if (command->flags & GATUN_SYNC && execution->threads > 1) {
            barrier(pool, execution->threads);
        }
        share.rows = command->flags & GATUN_SELECTED ? execution->batch->selected_rows : execution->batch->rows;
        share.next = &pool->counters[i];
        pool->kernels->run[command->op](command, execution->batch, &share);
    }
}

/* Scratch of one thread: scores and runs of attention. */
static int64_t thread_scratch_bytes(int32_t slots) {
    return ((4 + 2) * ((int64_t)slots + 2 * GATUN_LANES) * 4 + 63) / 64 * 64;
}

int64_t gatun_scratch_bytes(struct gatun_pool *pool, int32_t slots) {
    return thread_scratch_bytes(slots) * pool->threads;
}

int32_t gatun_run(struct gatun_pool *pool, const struct gatun_command *commands, int32_t count, const struct gatun_batch *batch,
    int32_t max_slots, int32_t threads, void *scratch) {
    if (count > pool->counters_size) {
        atomic_int *counters = realloc(pool->counters, (size_t)count * sizeof *counters);
        if (counters == NULL) {
            return 1;
        }
        pool->counters = counters;
        pool->counters_size = count;
    }
    memset(pool->counters, 0, (size_t)count * sizeof *pool->counters);
    struct execution execution = {
        .commands = commands,
        .count = count,
        .threads = threads == 1 ? 1 : pool->threads,
        .batch = batch,
        .scratch = scratch,
        .scratch_bytes = thread_scratch_bytes(max_slots),
    };
    if (execution.threads == 1) {
        execute(pool, 0, &execution);
    } else {
        run_on_all(pool, execute, &execution);
    }
    return 0;
}

void *gatun_allocate(int64_t bytes) {
    void *memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
#if defined(MADV_HUGEPAGE)
    if (bytes >= 1 << 22) {
        madvise(memory, (size_t)bytes, MADV_HUGEPAGE);
    }
#endif
    return memory;
}

void gatun_free(void *memory, int64_t bytes) {
    munmap(memory, (size_t)bytes);
}

int64_t gatun_packed_bytes(int32_t type, int64_t outputs, int64_t inputs) {
    const int64_t rows = (outputs + GATUN_LANES - 1) / GATUN_LANES * GATUN_LANES;
    switch (type) {
        case GATUN_Q4_K: /* 20, 24 and 28 bytes for 32 elements: see matmul.c */
            return rows * (inputs / GATUN_BLOCK) * 20;
        case GATUN_Q5_K:
            return rows * (inputs / GATUN_BLOCK) * 24;
        case GATUN_Q6_K:
            return rows * (inputs / GATUN_BLOCK) * 28;
        case GATUN_MXFP4: /* scales of 16 bits, not 8 */
            return rows * (inputs / GATUN_BLOCK) * 18;
        case GATUN_INT8: /* whole blocks */
            return rows * (4 + gatun_blocks(inputs) * GATUN_BLOCK);
        case GATUN_SPARSE_2_8_F16: /* places of 4 bits, not 3: 2.5 bytes for each element that is kept */
            return rows * (inputs / 8) * 5;
        case GATUN_SPARSE_4_8_F16:
            return rows * (inputs / 8) * 10;
        default:
            return rows * gatun_file_bytes(type, inputs);
    }
}

struct packing {
    int32_t type;
    int64_t outputs;
    int64_t inputs;
    const uint8_t *source;
    uint8_t *target;
    atomic_int next;
};

static void pack(struct gatun_pool *pool, int32_t thread, void *argument) {
    (void)thread;
    struct packing *packing = argument;
    const int64_t tile_bytes = GATUN_LANES * gatun_file_bytes(packing->type, packing->inputs);
    const int64_t tiles = (packing->outputs + GATUN_LANES - 1) / GATUN_LANES;
    const int64_t piece = (1 << 20) / tile_bytes + 1;
    for (int64_t from; (from = atomic_fetch_add(&packing->next, 1) * piece) < tiles;) {
        int64_t to = from + piece < tiles ? from + piece : tiles;
        for (int64_t tile = from; tile < to; tile++) {
            pool->kernels->pack(packing->type, packing->outputs, packing->inputs, tile, packing->source, packing->target);
        }
    }
}

void gatun_pack(struct gatun_pool *pool, int32_t type, int64_t outputs, int64_t inputs, const void *source, void *target) {
    struct packing packing = {type, outputs, inputs, source, target, 0};
    run_on_all(pool, pack, &packing);
}

/* Copies the items of a slot: of keys, which stand side by side with those of other slots, and of values, in a row. */
static void copy_items(const uint8_t *from_keys, uint8_t *to_keys, const uint8_t *from_values, uint8_t *to_values, int64_t items,
    int64_t size, int64_t from, int64_t to) {
    for (int64_t i = 0; i < items; i++) {
        memcpy(to_keys + ((to / GATUN_LANES * items + i) * GATUN_LANES + to % GATUN_LANES) * size,
            from_keys + ((from / GATUN_LANES * items + i) * GATUN_LANES + from % GATUN_LANES) * size, (size_t)size);
    }
    memmove(to_values + to * items * size, from_values + from * items * size, (size_t)(items * size));
}

void gatun_move(const struct gatun_kv *kv, int64_t from, int64_t to) {
    const int64_t size = gatun_kv_element_bytes(kv->type);
    for (int32_t i = 0; i < kv->layer_count; i++) {
        const struct gatun_kv_layer *layer = &kv->layers[i];
        const int64_t scales = GATUN_PAGE * layer->head_dim * size;
        const int64_t head_bytes = gatun_kv_head_bytes(kv->type, layer->head_dim);
        const int64_t values = layer->kv_heads * head_bytes;
        for (int64_t head = 0; head < layer->kv_heads; head++) {
            uint8_t *source = kv->pages + from / GATUN_PAGE * kv->page_bytes + layer->offset + head * head_bytes;
            uint8_t *target = kv->pages + to / GATUN_PAGE * kv->page_bytes + layer->offset + head * head_bytes;
            copy_items(source, target, source + values, target + values, layer->head_dim, size, from % GATUN_PAGE, to % GATUN_PAGE);
            copy_items(source + scales, target + scales, source + values + scales, target + values + scales,
                gatun_kv_blocks(kv->type, layer->head_dim), 2, from % GATUN_PAGE, to % GATUN_PAGE);
        }
    }
}

void gatun_copy_page(const struct gatun_kv *kv, int32_t from, int32_t to) {
    memcpy(kv->pages + to * kv->page_bytes, kv->pages + from * kv->page_bytes, (size_t)kv->page_bytes);
}

int32_t gatun_layout(int32_t index) {
    const int32_t sizes[] = {sizeof(struct gatun_command), sizeof(struct gatun_batch), sizeof(struct gatun_segment),
        sizeof(struct gatun_kv), sizeof(struct gatun_kv_layer)};
    return index >= 0 && index < 5 ? sizes[index] : -1;
}
