// Floating-point control and status, translated between the ISAs. Sources: Intel SDM volume 1, 8.1 (x87 control and
// status word) and 10.2.3 (MXCSR); Arm ARM, D19 (FPCR, FPSR).
#pragma once

#include <cstdint>

namespace hrunc::recode {

struct X86FloatControl {
    std::uint32_t control = 0x37f; // x87 control word
    std::uint32_t status = 0;      // x87 status word
    std::uint32_t mxcsr = 0x1f80;

    bool operator==(const X86FloatControl &) const = default;
};

struct Aarch64FloatControl {
    std::uint32_t fpcr = 0, fpsr = 0;

    bool operator==(const Aarch64FloatControl &) const = default;
};

// Where each exception stands: as a sticky flag, and as a control bit that lets it trap. The control bit is inverted
// on x86-64 (a mask) and at the same distance from the flag in both of its units.
struct FloatException {
    std::uint32_t x86_flag;     // in MXCSR and the x87 status word
    std::uint32_t aarch64_flag; // in FPSR
};
inline constexpr FloatException kFloatExceptions[] = {
    {1U << 0, 1U << 0}, // invalid operation
    {1U << 1, 1U << 7}, // denormal input
    {1U << 2, 1U << 1}, // division by zero
    {1U << 3, 1U << 2}, // overflow
    {1U << 4, 1U << 3}, // underflow
    {1U << 5, 1U << 4}, // inexact
};
inline constexpr unsigned kMxcsrMaskShift = 7, kFpcrTrapShift = 8;
inline constexpr std::uint32_t kMxcsrDenormalsAreZero = 1U << 6, kMxcsrFlushToZero = 1U << 15;
inline constexpr std::uint32_t kFpcrFlushToZero = 1U << 24;
inline constexpr unsigned kMxcsrRoundingShift = 13, kX87RoundingShift = 10, kFpcrRoundingShift = 22;
inline constexpr std::uint32_t kX87ControlBase = 0x0340; // extended precision and the reserved bit; all exceptions trap

// Nearest and towards zero have one number; up and down are exchanged.
constexpr std::uint32_t swap_rounding(std::uint32_t mode) {
    return mode == 1 ? 2 : mode == 2 ? 1 : mode;
}

constexpr Aarch64FloatControl to_aarch64(const X86FloatControl &from) {
    Aarch64FloatControl to;
    to.fpcr = swap_rounding(from.mxcsr >> kMxcsrRoundingShift & 3) << kFpcrRoundingShift;
    if ((from.mxcsr & (kMxcsrFlushToZero | kMxcsrDenormalsAreZero)) != 0) to.fpcr |= kFpcrFlushToZero;
    for (const FloatException &row : kFloatExceptions) {
        if (((from.mxcsr | from.status) & row.x86_flag) != 0) to.fpsr |= row.aarch64_flag;
        if ((from.mxcsr & row.x86_flag << kMxcsrMaskShift) == 0) to.fpcr |= row.aarch64_flag << kFpcrTrapShift;
    }
    return to;
}

constexpr X86FloatControl to_x86(const Aarch64FloatControl &from) {
    std::uint32_t rounding = swap_rounding(from.fpcr >> kFpcrRoundingShift & 3);
    X86FloatControl to{kX87ControlBase | rounding << kX87RoundingShift, 0, rounding << kMxcsrRoundingShift};
    if ((from.fpcr & kFpcrFlushToZero) != 0) to.mxcsr |= kMxcsrFlushToZero | kMxcsrDenormalsAreZero;
    for (const FloatException &row : kFloatExceptions) {
        if ((from.fpsr & row.aarch64_flag) != 0) to.mxcsr |= row.x86_flag;
        if ((from.fpcr & row.aarch64_flag << kFpcrTrapShift) == 0) {
            to.mxcsr |= row.x86_flag << kMxcsrMaskShift;
            to.control |= row.x86_flag;
        }
    }
    return to;
}

static_assert(to_aarch64(X86FloatControl{}) == Aarch64FloatControl{});
static_assert(to_x86(Aarch64FloatControl{}) == X86FloatControl{});

} // namespace hrunc::recode
