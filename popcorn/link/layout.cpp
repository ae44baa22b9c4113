#include "popcorn/link/layout.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <unordered_map>

#include <fmt/format.h>

namespace hrunc::link {
namespace {

// In the order of the image.
enum Area { kText, kCold, kResume, kRodata, kData, kBss, kAreas };

constexpr uint64_t kFunctionAlign = 16, kResumeAlign = 4;

struct Slot {
    std::string name; // of the section
    Area area;
    std::array<std::string, 2> file{}; // empty where the ISA has no such section
    uint64_t size = 0, align = 1;
};

struct Plan {
    std::vector<Slot> slots;
    std::array<std::array<uint64_t, 2>, kAreas> rest{}; // an upper bound of what follows the slots, by ISA
    std::array<uint64_t, 2> frames{};                   // of .eh_frame
    std::vector<std::string> named;                     // sections of the program's own names, in .data
};

uint64_t slot_align(Area area) {
    return area == kResume ? kResumeAlign : area < kResume ? kFunctionAlign : 1;
}

bool is_identifier(const std::string &name) {
    return std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

bool is_special(const std::string &name) {
    return name == ".eh_frame" || name == ".llvm_stackmaps" || name == ".popcorn.sites" || name.starts_with(".note") ||
           name.starts_with(".init_array") || name.starts_with(".fini_array");
}

Area area_of(const Section &section) {
    if (section.code) {
        if (section.name.starts_with(".text.resume.")) return kResume;
        return section.name.starts_with(".text.unlikely.") ? kCold : kText;
    }
    if (section.zero) return kBss;
    return section.write ? kData : kRodata;
}

// Sections named .text.NAME, .rodata.NAME and so on hold one symbol; constants that the linker merges do not.
bool has_slot(const Object &object, const Section &section) {
    if (section.merge || object.kind == Object::Kind::kHelper) return false;
    for (const char *prefix : {".text.", ".rodata.", ".data.", ".bss."})
        if (section.name.starts_with(prefix)) return true;
    return false;
}

Result<Plan> plan(const std::array<std::vector<Object>, 2> &objects) {
    Plan plan;
    std::unordered_map<std::string, size_t> by_name;
    for (size_t isa = 0; isa < 2; isa++) {
        for (const Object &object : objects[isa]) {
            for (const Section &section : object.sections) {
                if (section.name == ".eh_frame") plan.frames[isa] += section.size + 8;
                if (is_special(section.name)) continue;
                Area area = area_of(section);
                if (is_identifier(section.name)) {
                    if (std::find(plan.named.begin(), plan.named.end(), section.name) == plan.named.end())
                        plan.named.push_back(section.name);
                    continue;
                }
                bool slot = has_slot(object, section);
                // The runtime's own functions may have the names of the program's.
                std::string key = section.name + (object.kind == Object::Kind::kRuntime ? " of the runtime" : "");
                auto [place, fresh] = by_name.try_emplace(key, plan.slots.size());
                if (slot && fresh) plan.slots.push_back({section.name, area, {}, 0, slot_align(area)});
                if (!slot || !plan.slots[place->second].file[isa].empty()) {
                    if (!slot && fresh) by_name.erase(place);
                    plan.rest[area][isa] += section.size + section.align;
                    continue;
                }
                Slot &mine = plan.slots[place->second];
                if ((area == kData || area == kBss) && isa == 1 && !mine.file[0].empty() && mine.size != section.size)
                    return Error(ErrorCode::kInternal, fmt::format("{}: {} bytes on x86-64, {} on aarch64",
                                                                   section.name, mine.size, section.size));
                mine.file[isa] = object.path;
                mine.size = std::max(mine.size, section.size);
                mine.align = std::max(mine.align, section.align);
            }
        }
    }
    return plan;
}

std::string quoted(const std::string &name) {
    return "\"" + name + "\"";
}

uint64_t up(uint64_t value, uint64_t to) {
    return (value + to - 1) / to * to;
}

constexpr std::array kRest = {"*(.text)", "", "", "*(.rodata .rodata.*)", "*(.data .data.*)", "*(.bss .bss.* COMMON)"};

constexpr std::array kNames = {".text", ".text.unlikely", ".text.resume", ".rodata", ".data", ".bss"};

std::string area_text(const Plan &plan, Area area, size_t isa) {
    std::string text, start = fmt::format("ADDR({})", kNames[area]);
    uint64_t at = 0;
    for (const Slot &slot : plan.slots) {
        if (slot.area != area) continue;
        at = up(at, slot.align);
        if (!slot.file[isa].empty())
            text += fmt::format("    . = {} + {:#x}; {}({})\n", start, at, quoted(slot.file[isa]), quoted(slot.name));
        at += slot.size;
    }
    uint64_t rest = std::max(plan.rest[area][0], plan.rest[area][1]);
    text += fmt::format("    . = {} + {:#x};\n", start, at = up(at, 16));
    if (*kRest[area]) text += fmt::format("    {}\n", kRest[area]);
    text += fmt::format("    . = {} + {:#x};\n", start, up(at + rest, 16));
    return text;
}

constexpr const char *kScript = R"(
PHDRS
{{
  headers PT_LOAD FILEHDR PHDRS FLAGS(4);
  text PT_LOAD FLAGS(5);
  rodata PT_LOAD FLAGS(4);
  data PT_LOAD FLAGS(6);
{tail_header}  note PT_NOTE FLAGS(4);
  stack PT_GNU_STACK FLAGS(6);
}}
ENTRY(_start)
SECTIONS
{{
  . = 0x400000 + SIZEOF_HEADERS;
  .note : {{ *(.note.gnu.build-id) *(.note.popcorn*) }} :headers :note
  . = ALIGN(0x10000);
  __popcorn_text = .;
  .text : ALIGN(64) {{
{text}  }} :text
  .text.unlikely : ALIGN(64) {{
{cold}  }} :text
  .text.resume : ALIGN(64) {{
{resume}  }} :text
  __popcorn_text_end = .;
  _etext = .; etext = .;
  . = ALIGN(0x10000);
  .rodata : ALIGN(4096) {{
{rodata}  }} :rodata
  .eh_frame : ALIGN(8) {{ *(.eh_frame) . = ADDR(.eh_frame) + {frames:#x}; }} :rodata
  . = ALIGN(0x10000);
  .init_array : ALIGN(8) {{
    __init_array_start = .;
    KEEP(*(SORT_BY_INIT_PRIORITY(.init_array.*)))
    KEEP(*(.init_array))
    __init_array_end = .;
    __fini_array_start = .;
    KEEP(*(SORT_BY_INIT_PRIORITY(.fini_array.*)))
    KEEP(*(.fini_array))
    __fini_array_end = .;
    . = ALIGN(64);
  }} :data
{named}  .data : ALIGN(4096) {{
{data}  }} :data
  _edata = .; edata = .;
  .bss : ALIGN(4096) {{
    __bss_start = .;
{bss}  }} :data
  _end = .; end = .;
{tail}  .got : {{ *(.got .got.plt .igot .igot.plt) }} :data
  .plt : {{ *(.plt .iplt) }} :data
  .rela.dyn : {{ *(.rela.*) }} :data
  ASSERT(SIZEOF(.got) + SIZEOF(.plt) + SIZEOF(.rela.dyn) == 0, "a global offset table, or relocations for run time")
  /DISCARD/ : {{ {discard}*(.comment) *(.note.GNU-stack) *(.note.gnu.property) *(.ARM.attributes) }}
}}
)";

std::string script(const Plan &plan, size_t isa, bool stackmaps, bool sites) {
    std::string named, tail = "  __popcorn_sites = .; __popcorn_sites_end = .;\n", tail_header;
    for (const std::string &name : plan.named) named += fmt::format("  {0} : ALIGN(16) {{ *({0}) }} :data\n", name);
    if (sites || stackmaps) {
        tail_header = "  sites PT_LOAD FLAGS(4);\n";
        tail = fmt::format("  . = ALIGN(0x10000);\n  {0} : ALIGN(64) {{ __popcorn_sites = .; KEEP(*({0})) "
                           "__popcorn_sites_end = .; }} :sites\n",
                           sites ? ".popcorn.sites" : ".llvm_stackmaps");
    }
    return fmt::format(fmt::runtime(kScript), fmt::arg("text", area_text(plan, kText, isa)),
                       fmt::arg("cold", area_text(plan, kCold, isa)), fmt::arg("resume", area_text(plan, kResume, isa)),
                       fmt::arg("rodata", area_text(plan, kRodata, isa)), fmt::arg("data", area_text(plan, kData, isa)),
                       fmt::arg("bss", area_text(plan, kBss, isa)), fmt::arg("named", named), fmt::arg("tail", tail),
                       fmt::arg("tail_header", tail_header), fmt::arg("discard", sites ? "*(.llvm_stackmaps) " : ""),
                       fmt::arg("frames", up(std::max(plan.frames[0], plan.frames[1]) + 8, 8)));
}

} // namespace

Result<std::array<std::string, 2>> make_scripts(const std::array<std::vector<Object>, 2> &objects, bool sites) {
    HRUNC_ASSIGN(Plan layout, plan(objects));
    bool stackmaps = false;
    for (const auto &list : objects)
        for (const Object &object : list)
            for (const Section &section : object.sections) stackmaps |= section.name == ".llvm_stackmaps";
    return std::array{script(layout, 0, stackmaps, sites), script(layout, 1, stackmaps, sites)};
}

} // namespace hrunc::link
