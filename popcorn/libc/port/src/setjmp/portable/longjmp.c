/* In popcorn/runtime: native code. */
