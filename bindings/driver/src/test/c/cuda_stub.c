/*
 * A libcuda.so.1 without a device, for tests of what is above the driver: are the right calls made, with the right
 * arguments, and is everything given back? It runs no kernel. Handles are real allocations and counted; device memory is
 * host memory, so that copies and fills work; a launch keeps a copy of its arguments.
 *
 *   cc -shared -fPIC -O2 -pthread -Wl,-soname,libcuda.so.1 -o libcuda.so.1 cuda_stub.c
 *
 * Tests steer it by the functions stub_* at the end, and, before it is initialised, by the environment:
 * CUDA_STUB_INIT (what cuInit answers), CUDA_STUB_DEVICES (how many there are), CUDA_STUB_VERSION, CUDA_STUB_FAIL (a call and what it
 * always answers, such as cuGraphLaunch:719). With -DOLD_DRIVER it lacks the calls that came with CUDA 12.4.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>

typedef int result;
typedef uint64_t address;

enum { SUCCESS = 0, INVALID_VALUE = 1, INVALID_IMAGE = 200, INVALID_PTX = 218, INVALID_HANDLE = 400, NOT_FOUND = 500,
       ILLEGAL_STATE = 401, WRONG_THREAD = 908, GRAPH_EXEC_UPDATE_FAILURE = 910 };

/* Each begins with its kind, so that a handle of another kind is noticed. */
enum kind { CONTEXT = 0x47415431, MODULE, FUNCTION, STREAM, EVENT, GRAPH, EXECUTABLE, POOL };

struct context { enum kind kind; int device; int retained; };
struct module { enum kind kind; char *image; struct function *functions; uint32_t variable[16]; };
struct function { enum kind kind; struct function *next; int count; size_t size[64]; int attributes[16]; };
struct stream { enum kind kind; int priority; int capturing; int relaxed; pthread_t thread; size_t nodes; };
struct event { enum kind kind; unsigned flags; int recorded; };
struct graph { enum kind kind; size_t nodes; };
struct pool { enum kind kind; uint64_t keep; };

static struct context contexts[4];
static struct pool pools[4];
static __thread struct context *current;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char calls[1 << 16];
static size_t calls_length;
static int recording = 1;
static const char *fault_call;
static int fault_code;
static char always_call[64];
static int always_code;
static int64_t live, live_bytes, launches;
static unsigned char arguments[8192];
static size_t argument_offset[64], argument_size[64];
static int argument_count;

static void record(const char *call, const char *format, ...)
{
    pthread_mutex_lock(&lock);
    char line[1024];
    int n = snprintf(line, sizeof line, "%s(", call);
    va_list values;
    va_start(values, format);
    n += vsnprintf(line + n, sizeof line - n - 2, format, values);
    va_end(values);
    n += snprintf(line + n, sizeof line - n, ")\n");
    if (calls_length + n < sizeof calls) {
        memcpy(calls + calls_length, line, n + 1);
        calls_length += n;
    }
    pthread_mutex_unlock(&lock);
}

static result fault(const char *call)
{
    result code = SUCCESS;
    if (always_code && strcmp(call, always_call) == 0) {
        return always_code;
    }
    pthread_mutex_lock(&lock);
    if (fault_code && strcmp(call, fault_call) == 0) {
        code = fault_code;
        fault_code = 0;
    }
    pthread_mutex_unlock(&lock);
    return code;
}

/* How every call begins: it is noted, and fails if a test wants so. */
#define CALL(...) do { \
        if (recording) record(__func__, __VA_ARGS__); \
        if (fault_code | always_code) { result code = fault(__func__); if (code) return code; } \
    } while (0)

#define NEED(condition, code) do { if (!(condition)) return code; } while (0)
#define IS(handle, k) ((handle) != NULL && (handle)->kind == (k))

static void *made(size_t size, enum kind kind)
{
    void *handle = calloc(1, size);
    *(enum kind *) handle = kind;
    __atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
    return handle;
}

static void unmade(void *handle)
{
    *(enum kind *) handle = 0;
    free(handle);
    __atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
}

/* Memory carries its size in front, 256 bytes before, so that it is aligned as the driver's is. */
static void *memory(size_t size)
{
    NEED(size > 0 && size <= (size_t) 1 << 30, NULL);
    char *block = aligned_alloc(256, 256 + (size + 255) / 256 * 256);
    memset(block, 0, size <= 1 << 24 ? 256 + size : 256); /* results that nobody computes are the same in each run */
    *(size_t *) block = size;
    __atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&live_bytes, (int64_t) size, __ATOMIC_RELAXED);
    return block + 256;
}

static result unmemory(void *start)
{
    NEED(start != NULL, INVALID_VALUE);
    char *block = (char *) start - 256;
    __atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&live_bytes, (int64_t) *(size_t *) block, __ATOMIC_RELAXED);
    free(block);
    return SUCCESS;
}

static int setting(const char *name, int otherwise)
{
    const char *value = getenv(name);
    return value ? atoi(value) : otherwise;
}

static int devices(void)
{
    return setting("CUDA_STUB_DEVICES", 2);
}

/* Work in a stream is done at once, or recorded if the stream is capturing. */
static int captured(struct stream *stream)
{
    if (stream != NULL && stream->capturing) {
        stream->nodes++;
        return 1;
    }
    return 0;
}

static const struct { int code; const char *name, *description; } errors[] = {
    { 0, "CUDA_SUCCESS", "no error" },
    { 1, "CUDA_ERROR_INVALID_VALUE", "invalid argument" },
    { 2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory" },
    { 3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error" },
    { 100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected" },
    { 101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal" },
    { 200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid" },
    { 218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed" },
    { 222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain." },
    { 400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle" },
    { 401, "CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state" },
    { 500, "CUDA_ERROR_NOT_FOUND", "named symbol not found" },
    { 600, "CUDA_ERROR_NOT_READY", "device not ready" },
    { 700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered" },
    { 701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch" },
    { 719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure" },
    { 801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported" },
    { 803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination" },
    { 901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture" },
    { 908, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "attempt to terminate a thread-local capture sequence from another thread" },
    { 910, "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE", "the graph update was not performed because it included changes which"
            " violated constraints specific to instantiated graph update" },
    { 999, "CUDA_ERROR_UNKNOWN", "unknown error" },
};

static int find_error(int code)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i].code == code) {
            return (int) i;
        }
    }
    return -1;
}

result cuGetErrorName(int code, const char **name)
{
    int i = find_error(code);
    *name = i < 0 ? NULL : errors[i].name;
    return i < 0 ? INVALID_VALUE : SUCCESS;
}

result cuGetErrorString(int code, const char **description)
{
    int i = find_error(code);
    *description = i < 0 ? NULL : errors[i].description;
    return i < 0 ? INVALID_VALUE : SUCCESS;
}

/* The driver and its devices. */

result cuInit(unsigned flags)
{
    CALL("%u", flags);
    const char *failing = getenv("CUDA_STUB_FAIL");
    if (failing != NULL) {
        sscanf(failing, "%63[^:]:%d", always_call, &always_code);
    }
    return setting("CUDA_STUB_INIT", SUCCESS);
}

result cuDriverGetVersion(int *version)
{
    CALL("");
    *version = setting("CUDA_STUB_VERSION", 13000);
    return SUCCESS;
}

result cuDeviceGetCount(int *count)
{
    CALL("");
    *count = devices();
    return SUCCESS;
}

result cuDeviceGet(int *device, int ordinal)
{
    CALL("%d", ordinal);
    NEED(ordinal >= 0 && ordinal < devices(), 101);
    *device = ordinal;
    return SUCCESS;
}

result cuDeviceGetName(char *name, int length, int device)
{
    CALL("%d, %d", length, device);
    snprintf(name, length, "Stub %d", device);
    return SUCCESS;
}

result cuDeviceGetAttribute(int *value, int attribute, int device)
{
    CALL("%d, %d", attribute, device);
    switch (attribute) {
    case 1: case 2: case 3: *value = 1024; break;
    case 4: *value = 64; break;
    case 5: *value = 2147483647; break;
    case 6: case 7: *value = 65535; break;
    case 8: *value = 49152; break;
    case 10: *value = 32; break;
    case 16: *value = 8; break;
    case 38: *value = 4 << 20; break;
    case 75: *value = 9; break;
    case 76: *value = 0; break;
    case 97: *value = 232448; break;
    default: *value = 1000 + attribute;
    }
    return SUCCESS;
}

static result uuid(unsigned char *bytes, int device)
{
    for (int i = 0; i < 16; i++) {
        bytes[i] = (unsigned char) (16 * device + i);
    }
    return SUCCESS;
}

result cuDeviceGetUuid(unsigned char *bytes, int device) { CALL("%d", device); return uuid(bytes, device); }
result cuDeviceGetUuid_v2(unsigned char *bytes, int device) { CALL("%d", device); return uuid(bytes, device); }

result cuDeviceTotalMem_v2(size_t *bytes, int device)
{
    CALL("%d", device);
    *bytes = (size_t) 80 << 30;
    return SUCCESS;
}

/* Contexts. */

result cuDevicePrimaryCtxRetain(struct context **context, int device)
{
    CALL("%d", device);
    NEED(device >= 0 && device < devices(), 101);
    contexts[device].kind = CONTEXT;
    contexts[device].device = device;
    contexts[device].retained++;
    *context = &contexts[device];
    __atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
    return SUCCESS;
}

result cuDevicePrimaryCtxRelease_v2(int device)
{
    CALL("%d", device);
    NEED(device >= 0 && device < devices() && contexts[device].retained > 0, 201);
    contexts[device].retained--;
    __atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
    return SUCCESS;
}

result cuCtxSetCurrent(struct context *context)
{
    CALL("%p", (void *) context);
    NEED(context == NULL || context->kind == CONTEXT, INVALID_HANDLE);
    current = context;
    return SUCCESS;
}

result cuCtxGetCurrent(struct context **context)
{
    CALL("");
    *context = current;
    return SUCCESS;
}

result cuCtxSynchronize(void) { CALL(""); return SUCCESS; }

/* Modules: the image must be PTX text, whose entries are the functions. */

static void log_to(int count, const int *options, void **values, int buffer, const char *text)
{
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < count; j++) {
            if (options[i] == buffer && options[j] == buffer + 1) {
                snprintf(values[i], (size_t) values[j], "%s", text);
                values[j] = (void *) (strlen(values[i]) + 1);
                return;
            }
        }
    }
}

result cuModuleLoadDataEx(struct module **module, const char *image, unsigned count, int *options, void **values)
{
    char given[512] = "";
    for (unsigned i = 0; i < count; i++) {
        int n = (int) strlen(given);
        if (options[i] == 3 || options[i] == 5) {
            snprintf(given + n, sizeof given - n, "%d=buffer ", options[i]);
        } else {
            snprintf(given + n, sizeof given - n, "%d=%zu ", options[i], (size_t) values[i]);
        }
    }
    CALL("%zu bytes, %s", strlen(image), given);
    if (strstr(image, ".version") == NULL) {
        log_to((int) count, options, values, 5, "ptxas fatal: Missing .version directive at start of file");
        return INVALID_PTX;
    }
    log_to((int) count, options, values, 3, "ptxas info: compiled by the stub");
    struct module *made_module = made(sizeof *made_module, MODULE);
    made_module->image = strdup(image);
    *module = made_module;
    return SUCCESS;
}

result cuModuleUnload(struct module *module)
{
    CALL("%p", (void *) module);
    NEED(IS(module, MODULE), INVALID_HANDLE);
    for (struct function *f = module->functions; f != NULL;) {
        struct function *next = f->next;
        free(f);
        f = next;
    }
    free(module->image);
    unmade(module);
    return SUCCESS;
}

/* The sizes of an entry's parameters, as `.param .u64 name` and `.param .align 8 .b8 name[64]` have them. */
static void read_parameters(struct function *function, const char *text)
{
    const char *end = strchr(text, ')');
    while ((text = strstr(text, ".param")) != NULL && text < end && function->count < 64) {
        const char *declared_end = strpbrk(text, ",)"), *array = strchr(text, '[');
        size_t bits = 0;
        for (const char *p = text + 6; p < declared_end; p++) {
            if (*p == '.' && strchr("bsuf", p[1]) != NULL && p[2] >= '0' && p[2] <= '9') {
                bits = strtoul(p + 2, NULL, 10);
                break;
            }
        }
        size_t elements = array != NULL && array < declared_end ? strtoul(array + 1, NULL, 10) : 1;
        function->size[function->count++] = bits / 8 * elements;
        text = declared_end;
    }
}

result cuModuleGetFunction(struct function **function, struct module *module, const char *name)
{
    CALL("%p, %s", (void *) module, name);
    NEED(IS(module, MODULE), INVALID_HANDLE);
    for (const char *p = module->image; (p = strstr(p, ".entry")) != NULL;) {
        p += 6 + strspn(p + 6, " \t\n");
        size_t length = strcspn(p, " \t\n({");
        if (length == strlen(name) && strncmp(p, name, length) == 0) {
            struct function *found = calloc(1, sizeof *found);
            found->kind = FUNCTION;
            found->next = module->functions;
            module->functions = found;
            p += length + strspn(p + length, " \t\n");
            if (*p == '(') {
                read_parameters(found, p);
            }
            *function = found;
            return SUCCESS;
        }
    }
    return NOT_FOUND;
}

result cuModuleGetGlobal_v2(address *start, size_t *bytes, struct module *module, const char *name)
{
    CALL("%p, %s", (void *) module, name);
    NEED(IS(module, MODULE), INVALID_HANDLE);
    NEED(strstr(module->image, name) != NULL, NOT_FOUND);
    *start = (address) (uintptr_t) module->variable;
    *bytes = sizeof module->variable;
    return SUCCESS;
}

/* Functions and launches. */

result cuFuncGetAttribute(int *value, int attribute, struct function *function)
{
    CALL("%d, %p", attribute, (void *) function);
    NEED(IS(function, FUNCTION), INVALID_HANDLE);
    NEED(attribute >= 0 && attribute < 16, INVALID_VALUE);
    *value = function->attributes[attribute] ? function->attributes[attribute] : 100 + attribute;
    return SUCCESS;
}

result cuFuncSetAttribute(struct function *function, int attribute, int value)
{
    CALL("%p, %d, %d", (void *) function, attribute, value);
    NEED(IS(function, FUNCTION), INVALID_HANDLE);
    NEED(attribute >= 0 && attribute < 16, INVALID_VALUE);
    function->attributes[attribute] = value;
    return SUCCESS;
}

#ifndef OLD_DRIVER
result cuFuncGetParamInfo(struct function *function, size_t index, size_t *offset, size_t *size)
{
    CALL("%p, %zu", (void *) function, index);
    NEED(IS(function, FUNCTION), INVALID_HANDLE);
    NEED(index < (size_t) function->count, INVALID_VALUE);
    size_t begin = 0;
    for (size_t i = 0; i <= index; i++) {
        size_t alignment = function->size[i] > 8 ? 8 : function->size[i];
        begin = (begin + alignment - 1) / alignment * alignment;
        if (i < index) {
            begin += function->size[i];
        }
    }
    *offset = begin;
    *size = function->size[index];
    return SUCCESS;
}
#endif

result cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, struct function *function, int threads, size_t shared)
{
    CALL("%p, %d, %zu", (void *) function, threads, shared);
    NEED(IS(function, FUNCTION), INVALID_HANDLE);
    NEED(threads > 0, INVALID_VALUE);
    *blocks = 2048 / threads;
    return SUCCESS;
}

static result launched(struct function *function, struct stream *stream, void **values)
{
    NEED(IS(function, FUNCTION), INVALID_HANDLE);
    NEED(stream == NULL || stream->kind == STREAM, INVALID_HANDLE);
    captured(stream);
    launches++;
    if (recording) {
        size_t offset = 0;
        argument_count = function->count;
        for (int i = 0; i < function->count; i++) {
            argument_offset[i] = offset;
            argument_size[i] = function->size[i];
            NEED(offset + function->size[i] <= sizeof arguments, INVALID_VALUE);
            memcpy(arguments + offset, values[i], function->size[i]);
            offset += function->size[i];
        }
    }
    return SUCCESS;
}

result cuLaunchKernel(struct function *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
        unsigned block_y, unsigned block_z, unsigned shared, struct stream *stream, void **values, void **extra)
{
    CALL("%p, %u x %u x %u, %u x %u x %u, %u, %p, extra %p", (void *) function, grid_x, grid_y, grid_z, block_x, block_y,
            block_z, shared, (void *) stream, (void *) extra);
    return launched(function, stream, values);
}

result cuLaunchCooperativeKernel(struct function *function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
        unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared, struct stream *stream, void **values)
{
    CALL("%p, %u x %u x %u, %u x %u x %u, %u, %p", (void *) function, grid_x, grid_y, grid_z, block_x, block_y, block_z,
            shared, (void *) stream);
    return launched(function, stream, values);
}

struct launch_attribute {
    int id;
    char padding[4];
    union { unsigned char bytes[64]; struct { unsigned x, y, z; } cluster; int number; } value;
};

struct launch_configuration {
    unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, shared;
    struct stream *stream;
    struct launch_attribute *attributes;
    unsigned count;
};

result cuLaunchKernelEx(const struct launch_configuration *c, struct function *function, void **values, void **extra)
{
    char given[512] = "";
    for (unsigned i = 0; i < c->count; i++) {
        int n = (int) strlen(given);
        struct launch_attribute *a = &c->attributes[i];
        if (a->id == 4) {
            snprintf(given + n, sizeof given - n, " cluster=%u x %u x %u", a->value.cluster.x, a->value.cluster.y,
                    a->value.cluster.z);
        } else {
            snprintf(given + n, sizeof given - n, " %d=%d", a->id, a->value.number);
        }
    }
    CALL("%p, %u x %u x %u, %u x %u x %u, %u, %p, extra %p,%s", (void *) function, c->grid_x, c->grid_y, c->grid_z,
            c->block_x, c->block_y, c->block_z, c->shared, (void *) c->stream, (void *) extra, given);
    return launched(function, c->stream, values);
}

/* Memory. */

result cuMemGetInfo_v2(size_t *unused, size_t *total)
{
    CALL("");
    *total = (size_t) 80 << 30;
    *unused = *total - (size_t) live_bytes;
    return SUCCESS;
}

static result allocated(address *start, size_t bytes)
{
    void *block = memory(bytes);
    NEED(block != NULL, bytes == 0 ? INVALID_VALUE : 2);
    *start = (address) (uintptr_t) block;
    return SUCCESS;
}

result cuMemAlloc_v2(address *start, size_t bytes)
{
    CALL("%zu", bytes);
    NEED(current != NULL, 201);
    return allocated(start, bytes);
}

result cuMemFree_v2(address start) { CALL("%p", (void *) start); return unmemory((void *) start); }

result cuMemAllocAsync(address *start, size_t bytes, struct stream *stream)
{
    CALL("%zu, %p", bytes, (void *) stream);
    return allocated(start, bytes);
}

result cuMemFreeAsync(address start, struct stream *stream)
{
    CALL("%p, %p", (void *) start, (void *) stream);
    return unmemory((void *) start);
}

static result default_pool(struct pool **pool, int device)
{
    NEED(device >= 0 && device < devices(), 101);
    pools[device].kind = POOL;
    *pool = &pools[device];
    return SUCCESS;
}

result cuDeviceGetDefaultMemPool(struct pool **pool, int device) { CALL("%d", device); return default_pool(pool, device); }
result cuDeviceGetMemPool(struct pool **pool, int device) { CALL("%d", device); return default_pool(pool, device); }

result cuMemPoolSetAttribute(struct pool *pool, int attribute, uint64_t *value)
{
    CALL("%ld, %d, %llu", (long) (pool - pools), attribute, (unsigned long long) *value);
    NEED(IS(pool, POOL), INVALID_VALUE);
    pool->keep = *value;
    return SUCCESS;
}

result cuMemHostAlloc(void **start, size_t bytes, unsigned flags)
{
    CALL("%zu, %u", bytes, flags);
    *start = memory(bytes);
    return *start != NULL ? SUCCESS : 2;
}

result cuMemFreeHost(void *start) { CALL("%p", start); return unmemory(start); }

result cuMemHostRegister_v2(void *start, size_t bytes, unsigned flags)
{
    CALL("%p, %zu, %u", start, bytes, flags);
    __atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
    return SUCCESS;
}

result cuMemHostUnregister(void *start)
{
    CALL("%p", start);
    __atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
    return SUCCESS;
}

result cuMemHostGetDevicePointer_v2(address *device, void *host, unsigned flags)
{
    CALL("%p, %u", host, flags);
    *device = (address) (uintptr_t) host;
    return SUCCESS;
}

result cuMemcpyHtoD_v2(address target, const void *source, size_t bytes)
{
    CALL("%p, %p, %zu", (void *) target, source, bytes);
    memcpy((void *) target, source, bytes);
    return SUCCESS;
}

result cuMemcpyDtoH_v2(void *target, address source, size_t bytes)
{
    CALL("%p, %p, %zu", target, (void *) source, bytes);
    memcpy(target, (void *) source, bytes);
    return SUCCESS;
}

static result copied(void *target, const void *source, size_t bytes, struct stream *stream)
{
    NEED(stream == NULL || stream->kind == STREAM, INVALID_HANDLE);
    if (!captured(stream)) {
        memcpy(target, source, bytes);
    }
    return SUCCESS;
}

result cuMemcpyHtoDAsync_v2(address target, const void *source, size_t bytes, struct stream *stream)
{
    CALL("%p, %p, %zu, %p", (void *) target, source, bytes, (void *) stream);
    return copied((void *) target, source, bytes, stream);
}

result cuMemcpyDtoHAsync_v2(void *target, address source, size_t bytes, struct stream *stream)
{
    CALL("%p, %p, %zu, %p", target, (void *) source, bytes, (void *) stream);
    return copied(target, (void *) source, bytes, stream);
}

result cuMemcpyDtoDAsync_v2(address target, address source, size_t bytes, struct stream *stream)
{
    CALL("%p, %p, %zu, %p", (void *) target, (void *) source, bytes, (void *) stream);
    return copied((void *) target, (void *) source, bytes, stream);
}

result cuMemsetD8Async(address target, unsigned char value, size_t count, struct stream *stream)
{
    CALL("%p, %u, %zu, %p", (void *) target, value, count, (void *) stream);
    if (!captured(stream)) {
        memset((void *) target, value, count);
    }
    return SUCCESS;
}

result cuMemsetD32Async(address target, unsigned value, size_t count, struct stream *stream)
{
    CALL("%p, %u, %zu, %p", (void *) target, value, count, (void *) stream);
    NEED(target % 4 == 0, INVALID_VALUE);
    if (!captured(stream)) {
        for (size_t i = 0; i < count; i++) {
            ((unsigned *) target)[i] = value;
        }
    }
    return SUCCESS;
}

/* Streams. */

result cuStreamCreateWithPriority(struct stream **stream, unsigned flags, int priority)
{
    CALL("%u, %d", flags, priority);
    struct stream *new_stream = made(sizeof *new_stream, STREAM);
    new_stream->priority = priority;
    *stream = new_stream;
    return SUCCESS;
}

result cuStreamDestroy_v2(struct stream *stream)
{
    CALL("%p", (void *) stream);
    NEED(IS(stream, STREAM), INVALID_HANDLE);
    unmade(stream);
    return SUCCESS;
}

result cuStreamSynchronize(struct stream *stream) { CALL("%p", (void *) stream); return SUCCESS; }
result cuStreamQuery(struct stream *stream) { CALL("%p", (void *) stream); return SUCCESS; }

result cuStreamWaitEvent(struct stream *stream, struct event *event, unsigned flags)
{
    CALL("%p, %p, %u", (void *) stream, (void *) event, flags);
    NEED(IS(event, EVENT), INVALID_HANDLE);
    return SUCCESS;
}

result cuStreamBeginCapture_v2(struct stream *stream, int mode)
{
    CALL("%p, %d", (void *) stream, mode);
    NEED(IS(stream, STREAM), INVALID_HANDLE);
    NEED(!stream->capturing, ILLEGAL_STATE);
    stream->capturing = 1;
    stream->relaxed = mode == 2;
    stream->thread = pthread_self();
    stream->nodes = 0;
    return SUCCESS;
}

result cuStreamEndCapture(struct stream *stream, struct graph **graph)
{
    *graph = NULL;
    NEED(stream->relaxed || pthread_equal(stream->thread, pthread_self()), WRONG_THREAD);
    /* As the driver does: an invalidated capture ends too. */
    int capturing = stream->capturing;
    stream->capturing = 0;
    CALL("%p", (void *) stream);
    NEED(capturing, ILLEGAL_STATE);
    struct graph *recorded = made(sizeof *recorded, GRAPH);
    recorded->nodes = stream->nodes;
    *graph = recorded;
    return SUCCESS;
}

result cuStreamIsCapturing(struct stream *stream, int *status)
{
    CALL("%p", (void *) stream);
    *status = stream != NULL && stream->capturing;
    return SUCCESS;
}

/* Events. */

result cuEventCreate(struct event **event, unsigned flags)
{
    CALL("%u", flags);
    struct event *new_event = made(sizeof *new_event, EVENT);
    new_event->flags = flags;
    *event = new_event;
    return SUCCESS;
}

result cuEventDestroy_v2(struct event *event)
{
    CALL("%p", (void *) event);
    NEED(IS(event, EVENT), INVALID_HANDLE);
    unmade(event);
    return SUCCESS;
}

result cuEventRecord(struct event *event, struct stream *stream)
{
    CALL("%p, %p", (void *) event, (void *) stream);
    NEED(IS(event, EVENT), INVALID_HANDLE);
    event->recorded = 1;
    return SUCCESS;
}

result cuEventQuery(struct event *event)
{
    CALL("%p", (void *) event);
    return IS(event, EVENT) ? SUCCESS : INVALID_HANDLE;
}

result cuEventSynchronize(struct event *event)
{
    CALL("%p", (void *) event);
    return IS(event, EVENT) ? SUCCESS : INVALID_HANDLE;
}

static result elapsed(float *millis, struct event *start, struct event *end)
{
    NEED(IS(start, EVENT) && IS(end, EVENT) && start->recorded && end->recorded, INVALID_HANDLE);
    NEED(!((start->flags | end->flags) & 2), INVALID_HANDLE);
    *millis = 1.5f;
    return SUCCESS;
}

result cuEventElapsedTime(float *millis, struct event *start, struct event *end)
{
    CALL("%p, %p", (void *) start, (void *) end);
    return elapsed(millis, start, end);
}

/* Graphs. */

result cuGraphGetNodes(struct graph *graph, void **nodes, size_t *count)
{
    CALL("%p, %p", (void *) graph, (void *) nodes);
    NEED(IS(graph, GRAPH) && nodes == NULL, INVALID_VALUE);
    *count = graph->nodes;
    return SUCCESS;
}

result cuGraphDestroy(struct graph *graph)
{
    CALL("%p", (void *) graph);
    NEED(IS(graph, GRAPH), INVALID_VALUE);
    unmade(graph);
    return SUCCESS;
}

result cuGraphInstantiateWithFlags(struct graph **executable, struct graph *graph, unsigned long long flags)
{
    CALL("%p, %llu", (void *) graph, flags);
    NEED(IS(graph, GRAPH), INVALID_VALUE);
    struct graph *instance = made(sizeof *instance, EXECUTABLE);
    instance->nodes = graph->nodes;
    *executable = instance;
    return SUCCESS;
}

static result updated(struct graph *executable, struct graph *graph, int *outcome)
{
    NEED(IS(executable, EXECUTABLE) && IS(graph, GRAPH), INVALID_VALUE);
    *outcome = executable->nodes == graph->nodes ? 0 : 2;
    return *outcome == 0 ? SUCCESS : GRAPH_EXEC_UPDATE_FAILURE;
}

result cuGraphExecUpdate(struct graph *executable, struct graph *graph, void **node, int *outcome)
{
    CALL("%p, %p", (void *) executable, (void *) graph);
    *node = NULL;
    return updated(executable, graph, outcome);
}

result cuGraphExecUpdate_v2(struct graph *executable, struct graph *graph, int *information)
{
    CALL("%p, %p", (void *) executable, (void *) graph);
    return updated(executable, graph, information);
}

result cuGraphLaunch(struct graph *executable, struct stream *stream)
{
    CALL("%p, %p", (void *) executable, (void *) stream);
    NEED(IS(executable, EXECUTABLE) && (stream == NULL || stream->kind == STREAM), INVALID_HANDLE);
    return SUCCESS;
}

result cuGraphExecDestroy(struct graph *executable)
{
    CALL("%p", (void *) executable);
    NEED(IS(executable, EXECUTABLE), INVALID_VALUE);
    unmade(executable);
    return SUCCESS;
}

/* Tensor maps: the 128 bytes say what was asked for. */

result cuTensorMapEncodeTiled(unsigned char *map, int type, unsigned rank, void *start, const uint64_t *sizes,
        const uint64_t *strides, const unsigned *box, const unsigned *element_strides, int interleave, int swizzle,
        int promotion, int fill)
{
    CALL("%d, %u, %p, %d, %d, %d, %d", type, rank, start, interleave, swizzle, promotion, fill);
    NEED((uintptr_t) map % 64 == 0 && (uintptr_t) start % 16 == 0 && rank >= 1 && rank <= 5, INVALID_VALUE);
    memset(map, 0, 128);
    for (unsigned i = 0; i < rank; i++) {
        memcpy(map + 8 * i, &sizes[i], 8);
        memcpy(map + 80 + 4 * i, &box[i], 4);
        memcpy(map + 100 + 4 * i, &element_strides[i], 4);
        if (i + 1 < rank) {
            memcpy(map + 40 + 8 * i, &strides[i], 8);
        }
    }
    return SUCCESS;
}

/* For the tests. */

/* What was called since the last reset, a line a call; it is kept until it fills 64 KiB. */
const char *stub_calls(void) { return calls; }

/* Forgets calls, launches and a fault that did not occur. */
void stub_reset(void)
{
    pthread_mutex_lock(&lock);
    calls_length = 0;
    calls[0] = 0;
    fault_code = 0;
    launches = 0;
    argument_count = 0;
    pthread_mutex_unlock(&lock);
}

/* Whether calls and arguments are noted: not when time is measured. */
void stub_record(int on) { recording = on; }

/* The next call of this name answers the code instead. */
void stub_fail(const char *call, int code)
{
    static char name[64];
    pthread_mutex_lock(&lock);
    snprintf(name, sizeof name, "%s", call);
    fault_call = name;
    fault_code = code;
    pthread_mutex_unlock(&lock);
}

/* Handles, allocations and registrations that were not given back. */
int64_t stub_live(void) { return live; }

/* Bytes that were not given back. */
int64_t stub_live_bytes(void) { return live_bytes; }

int64_t stub_launches(void) { return launches; }

/* The arguments of the last launch, as they were then. */
int stub_argument_count(void) { return argument_count; }
int64_t stub_argument_size(int index) { return (int64_t) argument_size[index]; }
const void *stub_argument(int index) { return arguments + argument_offset[index]; }
