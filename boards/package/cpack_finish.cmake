# Run by cpack between installing into its staging folder and packing: only a program that needs no
# library of the machine may be packed, no time of this build may get into the package, and
# folders have the mode that they are to have, not the one that its umask gives.
file(GLOB_RECURSE programs ${CPACK_TEMPORARY_DIRECTORY}/*/picketd)
foreach(program IN LISTS programs)
  if(program MATCHES "overrides/picketd$")
    continue()
  endif()
  execute_process(COMMAND ${CPACK_PICKET_READELF} -lW ${program}
    OUTPUT_VARIABLE headers COMMAND_ERROR_IS_FATAL ANY)
  if(headers MATCHES "INTERP")
    message(FATAL_ERROR "package: picketd of this preset needs shared libraries of its machine; "
      "only the presets of boards are packed (amd64 for this kind of machine)")
  endif()
endforeach()
if(NOT programs)
  message(FATAL_ERROR "package: there is no picketd in ${CPACK_TEMPORARY_DIRECTORY}")
endif()
execute_process(COMMAND find ${CPACK_TEMPORARY_DIRECTORY} -type d -exec chmod 755 {} +
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND find ${CPACK_TEMPORARY_DIRECTORY} -exec
  touch -h -d @${CPACK_PICKET_EPOCH} {} + COMMAND_ERROR_IS_FATAL ANY)
