#include "recode/host.h"

#include <gtest/gtest.h>
#include <sys/auxv.h>

#include "recode/elf.h"
#include "tests/unit/recode/checkpoint.h"

namespace hrunc::recode {
namespace {

TEST(ThisHost, KnowsItsKernel) {
    Result<Host> host = this_host();
    ASSERT_TRUE(host.ok()) << host.error().text();
    EXPECT_EQ(host->isa, arch::host());
    EXPECT_EQ(host->hwcap, getauxval(AT_HWCAP));
    EXPECT_LE(host->address_limit, arch::facts(arch::host()).address_limit);
    EXPECT_EQ(Elf::from_bytes(host->vdso)->isa(), arch::host());
    std::uint64_t vdso = 0;
    for (const KernelArea &area : host->kernel_areas)
        if (area.kind == KernelArea::Kind::kVdso) vdso += area.size;
    EXPECT_EQ(vdso, host->vdso.size());
    EXPECT_TRUE(kernel_has(*host, "/proc/meminfo"));
    EXPECT_FALSE(kernel_has(*host, "/proc/no-kernel-has-this"));
    EXPECT_FALSE(kernel_has(*host, "/proc/no-kernel-has-this/or/that"));
}

TEST(HostText, ComesBackAsItWas) {
    for (arch::Isa isa : arch::kIsas) {
        Host host = testing_support::handmade_host(isa);
        Result<Host> back = host_from_json(to_json(host));
        ASSERT_TRUE(back.ok()) << back.error().text();
        EXPECT_TRUE(*back == host);
    }
    Host host = *this_host();
    EXPECT_TRUE(*host_from_json(to_json(host)) == host);
}

TEST(HostText, APathIsAbsentOnlyWhereItsDirectoryIsKnown) {
    Host host = testing_support::handmade_host(arch::Isa::kAarch64);
    EXPECT_TRUE(kernel_has(host, "/proc/keys"));
    EXPECT_FALSE(kernel_has(host, "/proc/acpi"));
    EXPECT_TRUE(kernel_has(host, "/proc/sys/kernel/anything"));
    EXPECT_FALSE(kernel_has(host, "/proc/acpi/below"));
    EXPECT_TRUE(kernel_has(host, "/sys/firmware"));
}

// The text with one thing replaced, and what is said of it.
std::string refusal(const std::string &old_text, const std::string &new_text) {
    std::string text = to_json(testing_support::handmade_host(arch::Isa::kAarch64));
    std::size_t at = text.find(old_text);
    if (at == std::string::npos) return "no such text";
    Result<Host> host = host_from_json(text.replace(at, old_text.size(), new_text));
    return host.ok() ? "no error" : host.error().text();
}

TEST(HostText, IsChecked) {
    EXPECT_EQ(host_from_json("{").error().text(), "host description: not JSON");
    EXPECT_EQ(host_from_json("[]").error().text(), "host description: not an object");
    EXPECT_EQ(host_from_json(std::string(kMaxHostText + 1, ' ')).error().text(),
              "host description: more than the limit of 4194304 bytes");
    EXPECT_EQ(refusal("\"hrunc_host\": 1", "\"hrunc_host\": 2"), "host description: version 2 is not 1");
    EXPECT_EQ(refusal("aarch64", "mips"), "host description: \"isa\": is neither x86-64 nor aarch64");
    EXPECT_EQ(refusal("aarch64", "x86-64"), "host description: \"vdso\": is one of aarch64");
    EXPECT_EQ(refusal("\"page_size\": 4096", "\"page_size\": 4097"),
              "host description: \"page_size\": 4097 is not a power of two from 4096 on");
    EXPECT_EQ(refusal("\"last_capability\": 40", "\"last_capability\": 64"),
              "host description: \"last_capability\": 64 is more than the limit of 63");
    EXPECT_EQ(refusal("\"size\": 8192", "\"size\": 8193"),
              "host description: \"size\": 8193 is not a multiple of the page size");
    EXPECT_EQ(refusal("\"size\": 4096", "\"size\": 8192"), "host description: \"vdso\": is not as long as its area");
    EXPECT_EQ(refusal("\"vvar\"", "\"vdso\""), "host description: \"vdso\": is not as long as its area");
    EXPECT_EQ(refusal("\"vvar\"", "\"heap\""), "host description: \"kind\": is none of vvar, vvar_vclock, vdso");
    EXPECT_EQ(refusal("\"vdso\": \"f0VM", "\"vdso\": \"f0V!"), "host description: \"vdso\": not base64");
}

} // namespace
} // namespace hrunc::recode
