#include <stddef.h>
#include <sys/types.h>
/* mmap at a place below 2^47 of its own choice; returns -errno. */
hidden long __popcorn_map(size_t, int prot, int flags, int fd, off_t);
