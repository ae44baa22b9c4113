#!/usr/bin/env bats
# Small programs that check themselves, at each level of optimisation, on both ISAs, against gcc's.

load lib

@test "variable arguments" {
    torture variadic
}

@test "structures, unions, bit-fields, wide integers and complex numbers by value" {
    torture values
}

@test "floating point" {
    torture numbers
}

@test "jumps, computed gotos, stacks of variable size" {
    torture control
}

@test "threads" {
    torture threads
}

@test "processes, signals, descriptors and files" {
    torture system
}

@test "the C library" {
    torture library
}
