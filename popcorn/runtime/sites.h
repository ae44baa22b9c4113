/* The table of return addresses, section .popcorn.sites: made by popcorn/link/site_table.cpp for each ISA from what the
 * code generator recorded, read by the runtime of that ISA. Little endian, all parts 8-aligned:
 *
 *   struct popcorn_sites
 *   struct popcorn_site_row[rows]      by return address, ascending
 *   struct popcorn_unwind[unwinds]
 *   struct popcorn_saved[saved]
 *   struct popcorn_location[locations]
 *
 * Registers are numbered 0..30 (x0..x30; rax rdx rcx rbx rsi rdi rbp rsp r8..r15, as DWARF does), 31 is aarch64's sp,
 * 32..63 are vector registers. */
#ifndef HRUNC_POPCORN_RUNTIME_SITES_H
#define HRUNC_POPCORN_RUNTIME_SITES_H

#include <stdint.h>

#define POPCORN_SITES_MAGIC 0x53504f50u /* "POPS" */
#define POPCORN_SITES_VERSION 2
#define POPCORN_SITES_SECTION ".popcorn.sites"

enum {
    POPCORN_REGISTER = 1,      /* the value is in `reg` */
    POPCORN_DIRECT = 2,        /* the value is reg + offset: the address of an object of this frame */
    POPCORN_INDIRECT = 3,      /* the value lies at reg + offset */
    POPCORN_CONSTANT = 4,      /* the value is `offset` */
    POPCORN_WIDE_CONSTANT = 5, /* the value is the eight bytes of location number `offset` */
};

struct popcorn_sites {
    uint32_t magic, version;
    uint64_t base; /* subtracted from all return addresses */
    uint32_t rows, unwinds, saved, locations;
};

struct popcorn_site_row {
    uint32_t address;         /* return address - base */
    uint32_t function, index; /* the site's number */
    uint32_t unwind;
    uint32_t first_location;
    uint16_t locations;
    /* The first locations are objects' addresses; then, if floors, two floors. If copy, the only location is the
     * address of a copy of the record that the frame was made from. */
    uint16_t allocas : 14, copy : 1, floors : 1;
    uint32_t resumed; /* bytes of stack that the resume function takes, on whichever ISA; all ones where that varies */
};

struct popcorn_unwind {
    int32_t cfa_offset;
    uint16_t cfa_register, saved;
    uint32_t first_saved;
};

/* A register of the caller, at CFA + offset. The return address is among them on aarch64 (x30); on x86-64 it lies at
 * CFA - 8 always. */
struct popcorn_saved {
    int32_t offset;
    uint32_t reg;
};

struct popcorn_location {
    uint8_t kind, reg;
    uint8_t words; /* in the frame record */
    uint8_t bytes; /* of the value, at most 8 * words */
    int32_t offset;
};

#ifndef __cplusplus
_Static_assert(sizeof(struct popcorn_sites) == 32, "layout");
_Static_assert(sizeof(struct popcorn_site_row) == 28, "layout");
_Static_assert(sizeof(struct popcorn_unwind) == 12, "layout");
_Static_assert(sizeof(struct popcorn_location) == 8, "layout");
#endif

#endif
