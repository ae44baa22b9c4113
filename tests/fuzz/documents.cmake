hrunc_fuzz(bundle ${CMAKE_CURRENT_LIST_DIR}/bundle.cpp LIBRARIES hrunc_oci)
hrunc_fuzz(state ${CMAKE_CURRENT_LIST_DIR}/state.cpp LIBRARIES hrunc_oci)
hrunc_fuzz(config ${CMAKE_CURRENT_LIST_DIR}/config.cpp LIBRARIES hrunc_shim)
hrunc_fuzz(daemon_json ${CMAKE_CURRENT_LIST_DIR}/daemon_json.cpp LIBRARIES hrunc_shim)
