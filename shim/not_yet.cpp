// Stands in for what is not there yet.
#include "shim/invocation.h"
#include "shim/log.h"
#include "shim/verbs.h"

namespace hrunc::shim {

#ifdef HRUNC_NO_CHECKPOINT
int checkpoint_main(const Invocation &invocation) {
    return fatal(exec_runc(invocation));
}
#endif
#ifdef HRUNC_NO_RESTORE
int restore_main(const Invocation &invocation) {
    return fatal(exec_runc(invocation));
}
#endif
#ifdef HRUNC_NO_CRIU
int criu_main(int, char **) {
    return fatal(Error(ErrorCode::kInternal, "criu: not built"));
}
#endif
#ifdef HRUNC_NO_CLI_RECODE
int recode_main(const std::vector<std::string> &) {
    return fatal(Error(ErrorCode::kInternal, "recode: not built"));
}
#endif
#ifdef HRUNC_NO_CLI_HOST
int host_main(const std::vector<std::string> &) {
    return fatal(Error(ErrorCode::kInternal, "host: not built"));
}
#endif
#ifdef HRUNC_NO_CLI_INSPECT
int inspect_main(const std::vector<std::string> &) {
    return fatal(Error(ErrorCode::kInternal, "inspect: not built"));
}
#endif
#ifdef HRUNC_NO_CLI_NOTIFY
int notify_main(const std::vector<std::string> &) {
    return fatal(Error(ErrorCode::kInternal, "notify: not built"));
}
#endif

} // namespace hrunc::shim
