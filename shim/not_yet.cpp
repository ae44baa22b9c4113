// Stands in for what is not there yet.
#include "shim/invocation.h"
#include "shim/log.h"

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

} // namespace hrunc::shim
