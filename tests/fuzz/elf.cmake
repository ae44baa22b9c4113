hrunc_fuzz(elf elf.cpp LIBRARIES hrunc_recode)
