/* _start is in popcorn/runtime. */
