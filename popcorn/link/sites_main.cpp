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
        std::ofstream out(arguments[i + 1], std::ios::binary);
        out.write(reinterpret_cast<const char *>(table.bytes.data()), static_cast<std::streamsize>(table.bytes.size()));
        if (!out.flush()) return Error::system(std::string("write '") + arguments[i + 1] + "'");
        tables.push_back(std::move(table));
    }
    if (tables.size() == 2) return hrunc::popcorn::check_equal_shapes(tables[0], tables[1]);
    return {};
}

} // namespace

int main(int count, char **arguments) {
    auto result = run(count, arguments);
    if (result) return 0;
    std::fprintf(stderr, "popcorn-sites: %s\n", result.error().text().c_str());
    return 1;
}
