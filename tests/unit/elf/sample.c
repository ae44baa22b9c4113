/* A file to read: data, .bss, a note of its own, a name that is the tail of another one. Never run. */
long __migrate_gb_variable = -1;
char regs_dst[1024];
long other__migrate_gb_variable = 7;
static volatile long hidden = 5;
__thread long thread_local_value = 3;

__attribute__((section(".note.hrunc"), aligned(4), used)) static const struct {
    int owner_size, description_size, type;
    char owner[8];
    char description[4];
} note = {6, 3, 77, "hrunc", "abi"};

void _start(void) {
    for (;;) hidden = hidden + thread_local_value;
}
