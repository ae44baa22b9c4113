/* Static executables only. */
#define LDSO_ARCH "portable"
#define CRTJMP(pc, sp) __builtin_trap()
