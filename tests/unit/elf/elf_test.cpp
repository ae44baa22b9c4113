#include "recode/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

namespace hrunc::recode {
namespace {

constexpr std::array<std::string_view, 4> kNames{"__migrate_gb_variable", "regs_dst", "thread_local_value", "absent"};

class Sample : public testing::TestWithParam<arch::Isa> {
  protected:
    void SetUp() override {
        path_ = SAMPLES "/sample_" + std::string(arch::facts(GetParam()).uname_machine);
        if (access(path_.c_str(), R_OK) != 0) GTEST_SKIP() << "needs a compiler for " << arch::name(GetParam());
        elf_ = *Elf::open(*open_file(path_, O_RDONLY));
    }

    std::string path_;
    std::optional<Elf> elf_;
};

INSTANTIATE_TEST_SUITE_P(BothIsas, Sample, testing::ValuesIn(arch::kIsas),
                         [](const auto &isa) { return std::string(arch::facts(isa.param).uname_machine); });

TEST_P(Sample, SaysWhatItIs) {
    EXPECT_EQ(elf_->isa(), GetParam());
    EXPECT_EQ(elf_->type(), ET_EXEC);
    EXPECT_FALSE(elf_->position_independent());
    const ElfSegment *text = elf_->load_segment(elf_->entry(), 1);
    ASSERT_NE(text, nullptr);
    EXPECT_TRUE(text->flags & PF_X);
}

TEST_P(Sample, HasItsBuildIdAndNotes) {
    EXPECT_EQ(*elf_->build_id(), "\1\2\3\4\5\6\7\10");
    EXPECT_EQ(*elf_->note("hrunc", 77), "abi");
    EXPECT_EQ(*elf_->note("hrunc", 78), std::nullopt);
    EXPECT_EQ(*elf_->note("other", 77), std::nullopt);
}

TEST_P(Sample, FindsDataSymbolsThatAreDefined) {
    auto symbols = elf_->symbols(kNames);
    ASSERT_TRUE(symbols.ok()) << symbols.error().text();
    ASSERT_EQ(symbols->size(), 2U);
    EXPECT_EQ(symbols->at("regs_dst").size, 1024U);
    ElfSymbol variable = symbols->at("__migrate_gb_variable");
    EXPECT_EQ(variable.size, 8U);
    const ElfSegment *data = elf_->load_segment(variable.address, 8);
    ASSERT_NE(data, nullptr);
    EXPECT_TRUE(data->flags & PF_W);
    EXPECT_EQ(*elf_->read(*elf_->file_offset(variable.address, 8), 8), std::string(8, '\xff'));
}

TEST_P(Sample, UninitialisedDataIsNotInTheFile) {
    ElfSymbol buffer = elf_->symbols(kNames)->at("regs_dst");
    EXPECT_NE(elf_->load_segment(buffer.address, buffer.size), nullptr);
    EXPECT_EQ(elf_->file_offset(buffer.address, buffer.size), std::nullopt);
    EXPECT_EQ(elf_->load_segment(buffer.address, std::uint64_t{1} << 40), nullptr);
}

TEST_P(Sample, ReadsTheSameFromMemory) {
    Elf elf = *Elf::from_bytes(*read_file(path_, 1 << 20));
    EXPECT_EQ(elf.isa(), GetParam());
    EXPECT_EQ(elf.symbols(kNames)->size(), 2U);
}

TEST_P(Sample, EveryTruncationIsAnErrorOrHarmless) {
    std::string bytes = *read_file(path_, 1 << 20);
    for (std::size_t size = 0; size < bytes.size(); size += size < 4096 ? 1 : 61) {
        Result<Elf> elf = Elf::from_bytes(bytes.substr(0, size));
        if (!elf) continue;
        auto symbols = elf->symbols(kNames);
        EXPECT_LE(symbols.ok() ? symbols->size() : 0, 2U);
        auto id = elf->build_id();
        EXPECT_TRUE(!id.ok() || !*id || **id == "\1\2\3\4\5\6\7\10");
    }
}

TEST(Elf, ReadsTheRunningExecutable) {
    Elf elf = *Elf::open(*open_file("/proc/self/exe", O_RDONLY));
    EXPECT_EQ(elf.isa(), arch::host());
    constexpr std::array<std::string_view, 1> kMain{"main"};
    EXPECT_EQ(elf.symbols(kMain)->size(), 1U);
}

TEST(Elf, OnlyRegularFiles) {
    EXPECT_EQ(Elf::open(*open_file("/dev/zero", O_RDONLY)).error().text(), "not a regular file");
}

// A file with one data segment, one symbol and one note, every field of which a test can spoil.
struct Handmade {
    Elf64_Ehdr header{};
    Elf64_Phdr data{}, notes{};
    Elf64_Shdr sections[3]{};
    Elf64_Sym symbols[2]{};
    char strings[16] = "\0xvariable";
    Elf64_Nhdr note{4, 4, 9};
    char owner[4] = "abc";
    char description[4] = {'d', 'e', 's', 'c'};

    Handmade() {
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = ELFCLASS64;
        header.e_ident[EI_DATA] = ELFDATA2LSB;
        header.e_ident[EI_VERSION] = EV_CURRENT;
        header.e_machine = EM_X86_64;
        header.e_type = ET_EXEC;
        header.e_phoff = offsetof(Handmade, data);
        header.e_phnum = 2;
        header.e_phentsize = sizeof(Elf64_Phdr);
        header.e_shoff = offsetof(Handmade, sections);
        header.e_shnum = 3;
        header.e_shentsize = sizeof(Elf64_Shdr);
        data = {PT_LOAD, PF_R | PF_W, 0, 0x400000, 0, sizeof(Handmade), sizeof(Handmade), 4096};
        notes = {PT_NOTE, PF_R, offsetof(Handmade, note), 0, 0, 20, 20, 4};
        sections[1] = {0, SHT_SYMTAB, 0, 0, offsetof(Handmade, symbols), sizeof symbols, 2, 0, 8, sizeof(Elf64_Sym)};
        sections[2] = {0, SHT_STRTAB, 0, 0, offsetof(Handmade, strings), sizeof strings, 0, 0, 1, 0};
        symbols[1] = {2, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), 0, 1, 0x400010, 8};
    }
    Result<Elf> open() const { return Elf::from_bytes({reinterpret_cast<const char *>(this), sizeof *this}); }
    std::string open_error() const { return open().error().text(); }
    Result<std::map<std::string, ElfSymbol>> find() const {
        constexpr std::array<std::string_view, 1> kVariable{"variable"};
        return open()->symbols(kVariable);
    }
    std::string find_error() const { return find().error().text(); }
};

const std::string kEnd = std::to_string(sizeof(Handmade));

TEST(HandmadeElf, IsSound) {
    EXPECT_EQ(Handmade().find()->at("variable").address, 0x400010U);
    EXPECT_EQ(*Handmade().open()->note("abc", 9), "desc");
}

TEST(HandmadeElf, OtherKindsAreRefusedByName) {
    Handmade file;
    file.header.e_machine = EM_RISCV;
    EXPECT_EQ(file.open_error(), "ELF machine 243: neither x86-64 nor aarch64");
    file.header.e_ident[EI_DATA] = ELFDATA2MSB;
    EXPECT_EQ(file.open_error(), "not a little-endian ELF file");
    file.header.e_ident[EI_CLASS] = ELFCLASS32;
    EXPECT_EQ(file.open_error(), "not a 64-bit ELF file");
    EXPECT_EQ(file.open().error().code(), ErrorCode::kRefused);
    EXPECT_EQ(Elf::from_bytes("#!/bin/sh").error().text(), "not an ELF file");
    EXPECT_EQ(Elf::from_bytes(std::string(64, '#')).error().text(), "not an ELF file");
}

TEST(HandmadeElf, ProgramHeadersStayInTheirBounds) {
    Handmade file;
    file.header.e_phnum = 513;
    EXPECT_EQ(file.open_error(), "513 program headers: above the limit of 512");
    file = {};
    file.header.e_phentsize = 32;
    EXPECT_EQ(file.open_error(), "program headers of 32 bytes");
    file = {};
    file.header.e_phoff = ~std::uint64_t{0} - 8;
    EXPECT_EQ(file.open_error(),
              "program headers at offset 18446744073709551607, 112 bytes: beyond the file's end at " + kEnd);
    file = {};
    file.data.p_vaddr = ~std::uint64_t{0} - 4;
    EXPECT_TRUE(file.open_error().ends_with("bytes at 0xfffffffffffffffb: above the limit of 0x100000000000000"));
    file = {};
    file.data.p_filesz = file.data.p_memsz + 1;
    EXPECT_TRUE(file.open_error().ends_with("bytes of memory"));
    file = {};
    file.data.p_offset = 1;
    EXPECT_TRUE(file.open_error().ends_with("bytes at offset 1: beyond the file's end at " + kEnd));
}

TEST(HandmadeElf, SymbolTablesStayInTheirBounds) {
    Handmade file;
    file.header.e_shoff = sizeof file - 10;
    EXPECT_TRUE(file.find_error().ends_with("192 bytes: beyond the file's end at " + kEnd));
    file = {};
    file.sections[1].sh_entsize = 1;
    EXPECT_EQ(file.find_error(), "section 1: symbols of 1 bytes");
    file = {};
    file.sections[1].sh_size = ~std::uint64_t{0};
    EXPECT_EQ(file.find_error(), "section 1: symbols beyond the file's end at " + kEnd);
    file = {};
    file.sections[1].sh_link = 3;
    EXPECT_EQ(file.find_error(), "section 1: links to section 3, which is no string table");
    file = {};
    file.sections[2].sh_offset = ~std::uint64_t{0} - 3;
    EXPECT_EQ(file.find_error(), "section 1: names beyond the file's end at " + kEnd);
}

TEST(HandmadeElf, SymbolsThatAreNotDefinedMemoryDoNotCount) {
    Handmade file;
    file.symbols[1].st_shndx = SHN_UNDEF;
    EXPECT_TRUE(file.find()->empty());
    file = {};
    file.symbols[1].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_TLS);
    EXPECT_TRUE(file.find()->empty());
    file = {};
    file.symbols[1].st_name = 0xffffff;
    EXPECT_TRUE(file.find()->empty());
    file = {};
    file.symbols[1].st_value = ~std::uint64_t{0} - 3;
    EXPECT_EQ(file.find_error(), "symbol \"variable\": 8 bytes at 0xfffffffffffffffc: outside every segment");
}

TEST(HandmadeElf, NotesStayInTheirSegment) {
    Handmade file;
    file.note.n_descsz = 5;
    EXPECT_TRUE(file.open()->build_id().error().text().ends_with("beyond the end of its segment"));
    file.note.n_namesz = 0xffffffff;
    EXPECT_TRUE(file.open()->build_id().error().text().ends_with("beyond the end of its segment"));
    file = {};
    file.notes.p_filesz = (1 << 20) + 1;
    EXPECT_TRUE(file.open()->build_id().error().text().ends_with("above the limit of 1048576"));
    file.notes.p_filesz = 4096;
    EXPECT_TRUE(file.open()->build_id().error().text().ends_with("beyond the file's end at " + kEnd));
}

TEST(HandmadeElf, AReadAboveTheLimitIsAnError) {
    EXPECT_EQ(Handmade().open()->read(0, (256U << 20) + 1).error().text(),
              "268435457 bytes at offset 0: above the limit of 268435456");
}

// A megabyte of names that all end in the one looked for: the work stays bounded.
TEST(HandmadeElf, TooManySymbolsOfOneNameAreAnError) {
    Handmade file;
    std::string names;
    while (names.size() < (1 << 20)) names += std::string("variable\0", 9);
    file.sections[2].sh_offset = sizeof file;
    file.sections[2].sh_size = names.size();
    constexpr std::array<std::string_view, 1> kVariable{"variable"};
    Elf elf = *Elf::from_bytes(std::string(reinterpret_cast<const char *>(&file), sizeof file) + names);
    EXPECT_EQ(elf.symbols(kVariable).error().text(), "more than 4096 symbols named \"variable\"");
}

// A name that lies across the border of two chunks of the string table is found.
TEST(HandmadeElf, ANameAcrossAChunkIsFound) {
    constexpr std::array<std::string_view, 1> kVariable{"variable"};
    for (std::uint32_t at = 65536 - 12; at <= 65536 + 2; ++at) {
        Handmade file;
        std::string names(at, 'x');
        names += std::string("variable\0tail", 13);
        file.sections[2].sh_offset = sizeof file;
        file.sections[2].sh_size = names.size();
        file.symbols[1].st_name = at;
        Elf elf = *Elf::from_bytes(std::string(reinterpret_cast<const char *>(&file), sizeof file) + names);
        EXPECT_EQ(elf.symbols(kVariable)->size(), 1U) << at;
    }
}

} // namespace
} // namespace hrunc::recode
