hrunc_fuzz(rpc rpc.cpp LIBRARIES hrunc_criu_rpc)
hrunc_fuzz(criu_text criu_text.cpp LIBRARIES hrunc_operation)
