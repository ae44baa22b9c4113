#include <unistd.h>

#include "shim/config.h"
#include "shim/invocation.h"
#include "shim/program.h"

namespace hrunc::shim {

Result<std::string> find_runc() {
    HRUNC_ASSIGN(std::string runc, load_runc(config_file()));
    return find_program(runc, "runc");
}

Error exec_runc(const Invocation &invocation) {
    HRUNC_ASSIGN(std::string path, find_runc());
    // runc prints the name that it was called by, so it gets its own.
    std::string name = path.substr(path.rfind('/') + 1);
    std::vector<char *> argv{name.data()};
    for (std::size_t at = 1; at < invocation.argv.size(); ++at)
        argv.push_back(const_cast<char *>(invocation.argv[at].c_str()));
    argv.push_back(nullptr);
    execv(path.c_str(), argv.data());
    return Error::system("start runc \"" + path + "\"");
}

} // namespace hrunc::shim
