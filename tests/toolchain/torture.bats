#!/usr/bin/env bats
# Small programs that check themselves, at each level of optimisation, on both ISAs, against gcc's; as they are, and with a
# capture of all frames and a resume from the records at every migration point.

load lib

@test "variable arguments" {
    torture variadic always
}

@test "structures, unions, bit-fields, wide integers and complex numbers by value" {
    torture values always
}

@test "floating point" {
    torture numbers always
}

@test "jumps, computed gotos, stacks of variable size" {
    torture control always
}

@test "loops" {
    torture loops always
}

@test "calls that end their function" {
    torture tails always
}

@test "setjmp and longjmp" {
    torture jumps always
}

@test "deep stacks" {
    torture stacks
}

@test "threads" {
    torture threads
}

@test "what processes and threads share" {
    torture sharing
}

@test "processes, signals, descriptors and files" {
    torture system
}

@test "interrupted system calls" {
    torture interrupts
}

@test "the C library" {
    torture library always
}

@test "the allocator" {
    torture allocation
}
