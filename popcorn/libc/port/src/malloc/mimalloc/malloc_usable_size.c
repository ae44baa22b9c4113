#include <stdlib.h>

hidden size_t __malloc_size(void *);

size_t malloc_usable_size(void *block) {
    return __malloc_size(block);
}
