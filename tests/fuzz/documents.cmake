foreach(name bundle state config)
  hrunc_fuzz(${name} ${CMAKE_CURRENT_LIST_DIR}/${name}.cpp LIBRARIES hrunc_shim)
endforeach()
