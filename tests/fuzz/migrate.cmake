hrunc_fuzz(container ${CMAKE_CURRENT_LIST_DIR}/container.cpp LIBRARIES hrunc_migrate)
hrunc_fuzz(http ${CMAKE_CURRENT_LIST_DIR}/http.cpp LIBRARIES hrunc_migrate)
hrunc_fuzz(journal ${CMAKE_CURRENT_LIST_DIR}/journal.cpp LIBRARIES hrunc_migrate)
