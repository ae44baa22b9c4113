/* A move without criu, within one process: the task asks itself for its own ISA, and its SIGALRM's context gets the
 * registers of regs_dst, as a recoder would set them. Works under user-mode emulation too. */
#pragma once

#include "runtime.h"

void self_move_prepare(void);
void self_move_request(void); /* the next migration point moves */
