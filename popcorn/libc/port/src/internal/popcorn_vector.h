/* 128 bits at any alignment: one load or store on both ISAs. Code generators turn no loop of these back into a call of
 * the function that it stands in. */
typedef unsigned char popcorn_v16 __attribute__((vector_size(16), aligned(1), may_alias));
typedef unsigned long popcorn_u64 __attribute__((aligned(1), may_alias));
typedef unsigned int popcorn_u32 __attribute__((aligned(1), may_alias));
typedef unsigned short popcorn_u16 __attribute__((aligned(1), may_alias));
#define V(p) (*(popcorn_v16 *)(p))
#define W(p) (*(popcorn_u64 *)(p))
#define H(p) (*(popcorn_u32 *)(p))
#define Q(p) (*(popcorn_u16 *)(p))
