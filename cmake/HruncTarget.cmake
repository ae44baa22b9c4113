# hrunc_library(NAME SOURCES... [PROTOS ...]): a static library hrunc_NAME with the project's flags.
# hrunc_flags(TARGET): the project's flags for any other target.

function(hrunc_flags target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow -Werror=return-type)
  if(HRUNC_SANITIZE OR HRUNC_FUZZ)
    target_compile_options(${target} PUBLIC -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
  if(HRUNC_FUZZ)
    target_compile_options(${target} PUBLIC -fsanitize=fuzzer-no-link)
  endif()
endfunction()

function(hrunc_library name)
  cmake_parse_arguments(arg "" "" "PROTOS" ${ARGN})
  add_library(hrunc_${name} STATIC ${arg_UNPARSED_ARGUMENTS})
  hrunc_flags(hrunc_${name})
  if(arg_PROTOS)
    hrunc_protos(${name} ${arg_PROTOS})
    target_link_libraries(hrunc_${name} PUBLIC hrunc_${name}_protos)
  endif()
endfunction()

# Generated code is included as "FOLDER/FILE.pb.h" and gets no warnings of ours.
function(hrunc_protos name)
  set(generated ${PROJECT_BINARY_DIR}/generated)
  set(outputs)
  foreach(proto IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH proto NORMALIZE)
    file(RELATIVE_PATH relative ${PROJECT_SOURCE_DIR} ${proto})
    string(REGEX REPLACE "\\.proto$" "" stem ${relative})
    add_custom_command(
      OUTPUT ${generated}/${stem}.pb.cc ${generated}/${stem}.pb.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${generated}
      COMMAND protoc --cpp_out=${generated} --proto_path=${PROJECT_SOURCE_DIR} ${proto}
      DEPENDS ${proto} VERBATIM)
    list(APPEND outputs ${generated}/${stem}.pb.cc)
  endforeach()
  add_library(hrunc_${name}_protos STATIC ${outputs})
  hrunc_flags(hrunc_${name}_protos)
  target_compile_options(hrunc_${name}_protos PRIVATE -w)
  target_include_directories(hrunc_${name}_protos SYSTEM PUBLIC ${generated})
  target_link_libraries(hrunc_${name}_protos PUBLIC dependency_protobuf)
endfunction()
