# Run at each build: writes version.h only when the commit has changed, so that nothing else is compiled again.
execute_process(COMMAND git describe --always --dirty --abbrev=12 --exclude=*
  WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE COMMIT ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT COMMIT)
  set(COMMIT unknown)
endif()
configure_file(${SOURCE}/shim/version.h.in ${OUTPUT} @ONLY)
