#include <errno.h>
#include <stdlib.h>

hidden void *__malloc_aligned(size_t, size_t);

#define LARGEST (1ul << 46)

void *aligned_alloc(size_t align, size_t size) {
    if (align & (align - 1)) {
        errno = EINVAL;
        return 0;
    }
    if (align > LARGEST || size > LARGEST) {
        errno = ENOMEM;
        return 0;
    }
    return __malloc_aligned(align < 16 ? 16 : align, size);
}
