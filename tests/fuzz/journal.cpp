// The journal of a migration: any bytes give one that is written and read again as the same, with names that are one
// component of a path, or an error.
#include "migrate/journal.h"

#include <cstdlib>
#include <string_view>

#include "migrate/container.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size) {
    using namespace hrunc;
    Result<oci::Json> json = oci::parse_json({reinterpret_cast<const char *>(data), size});
    if (!json) return 0;
    Result<migrate::Journal> journal = migrate::journal_from(*json);
    if (!journal) return 0;
    for (const std::string *name :
         {&journal->source_id, &journal->target_name, &journal->temporary_name, &journal->checkpoint})
        if (!migrate::is_container_name(*name)) std::abort();
    oci::Json written = migrate::json_from(*journal);
    Result<migrate::Journal> again = migrate::journal_from(written);
    if (!again || migrate::json_from(*again) != written) std::abort();
    return 0;
}
