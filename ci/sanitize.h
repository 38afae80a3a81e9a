/* Included before each source of the sanitizer build: memory that kernels map comes from the allocator that the sanitizer watches. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static inline void *sanitized_map(size_t bytes) {
    void *memory = NULL;
    return posix_memalign(&memory, 4096, bytes) == 0 ? memset(memory, 0, bytes) : MAP_FAILED;
}

static inline int sanitized_unmap(void *memory) {
    free(memory);
    return 0;
}

#define mmap(address, bytes, protection, flags, file, offset) sanitized_map(bytes)
#define munmap(memory, bytes) sanitized_unmap(memory)
