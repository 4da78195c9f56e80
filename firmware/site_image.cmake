# -DPICKET_SITE_CONFIG=FILE: compiles a site's configuration into picketd, with all it includes. Each
# build checks it; one with errors ends the build with FILE:LINE and the reason.
set(PICKET_SITE_CONFIG "" CACHE FILEPATH
  "A configuration to compile into picketd, which then needs no file; empty: none")

# What runs the board's programs here, as a list; empty: they run as they are.
function(site_image_emulator out)
  set(${out} "" PARENT_SCOPE)
  if(NOT CMAKE_CROSSCOMPILING OR CMAKE_SYSTEM_PROCESSOR STREQUAL CMAKE_HOST_SYSTEM_PROCESSOR)
    return()
  endif()
  if(CMAKE_CROSSCOMPILING_EMULATOR)
    set(${out} ${CMAKE_CROSSCOMPILING_EMULATOR} PARENT_SCOPE)
    return()
  endif()
  string(REGEX REPLACE "^arm.*" "arm" cpu ${CMAKE_SYSTEM_PROCESSOR})
  find_program(qemu_${cpu} NAMES qemu-${cpu}-static qemu-${cpu})
  if(NOT qemu_${cpu})
    message(FATAL_ERROR "PICKET_SITE_CONFIG: the configuration is checked by the board's own code, "
      "which qemu-${cpu} has to run here: apt-get install qemu-user-static")
  endif()
  set(${out} ${qemu_${cpu}} PARENT_SCOPE)
endfunction()

function(picket_site_image target)
  get_filename_component(file ${PICKET_SITE_CONFIG} ABSOLUTE BASE_DIR ${CMAKE_SOURCE_DIR})
  if(NOT EXISTS ${file})
    message(FATAL_ERROR "PICKET_SITE_CONFIG: there is no ${file}")
  endif()
  get_filename_component(folder ${file} DIRECTORY)
  get_filename_component(name ${file} NAME)
  site_image_emulator(emulator)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/site_image.c)
  add_executable(make_site_image make_site_image.c)
  target_link_libraries(make_site_image PRIVATE picket_firmware)
  # In the folder of the file, so that its name is the same wherever it is built; and in each build,
  # since a pattern of an include may fit files that were not there before.
  add_custom_target(site_image
    COMMAND ${CMAKE_COMMAND} -E chdir ${folder} ${emulator} $<TARGET_FILE:make_site_image>
      ${name} ${source}.new
    COMMAND ${CMAKE_COMMAND} -E copy_if_different ${source}.new ${source}
    BYPRODUCTS ${source}
    COMMENT "Checking ${file}, which is compiled in"
    VERBATIM)
  target_sources(${target} PRIVATE ${source})
  add_dependencies(${target} site_image)
endfunction()
