// popcorn-sites ELF OUT [ELF OUT]: the site table of an executable, or of the two of a program, which have to agree.
#include "popcorn/link/site_table.h"

#include <cstdio>
#include <fstream>
#include <iterator>

namespace {

using hrunc::Error;
using hrunc::ErrorCode;
using hrunc::Result;

Result<void> run(int count, char **arguments) {
    if (count != 3 && count != 5) return Error(ErrorCode::kInvalid, "usage: popcorn-sites ELF OUT [ELF OUT]");
    std::vector<hrunc::popcorn::SiteTable> tables;
    for (int i = 1; i < count; i += 2) {
        std::string name = arguments[i];
        std::ifstream in(name, std::ios::binary);
        if (!in) return Error::system("open '" + name + "'");
        std::string bytes(std::istreambuf_iterator<char>(in), {});
        HRUNC_ASSIGN_IN(auto table,
                        hrunc::popcorn::make_site_table({reinterpret_cast<std::uint8_t *>(bytes.data()), bytes.size()}),
                        "'" + name + "'");
        tables.push_back(std::move(table));
    }
    if (tables.size() == 2) HRUNC_TRY(hrunc::popcorn::make_agree(tables[0], tables[1]));
    for (std::size_t i = 0; i < tables.size(); i++) {
        const std::vector<std::uint8_t> &bytes = tables[i].bytes;
        const char *name = arguments[2 + 2 * i];
        std::ofstream out(name, std::ios::binary);
        out.write(reinterpret_cast<const char *>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        if (!out.flush()) return Error::system(std::string("write '") + name + "'");
    }
    return {};
}

} // namespace

int main(int count, char **arguments) {
    auto result = run(count, arguments);
    if (result) return 0;
    std::fprintf(stderr, "popcorn-sites: %s\n", result.error().text().c_str());
    return 1;
}
