# picket_maps(TARGET): the linker's map beside the program, NAME.map, says whose each byte of it is.
function(picket_maps target)
  target_link_options(${target} PRIVATE -Wl,-Map=$<TARGET_FILE:${target}>.map)
endfunction()

# picket_ships(TARGET): a program that goes onto boards. What is left in its folder is
#   NAME         stripped, as it is installed
#   NAME.debug   what was stripped; gdb finds it beside NAME
#   NAME.size    bytes by floor and by library (report); also shown by the build
# A program that has more bytes than its budget is no program: the build fails. The budget is the
# profile's `size_budget`; where it names none, 1.6 MiB.
function(picket_ships target)
  set(program $<TARGET_FILE:${target}>)
  set(budget 1677721)
  if(profile_budget)
    set(budget ${profile_budget})
  endif()
  target_link_options(${target} PRIVATE -Wl,--build-id=sha1)
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${CMAKE_OBJCOPY} --only-keep-debug ${program} ${program}.debug
    COMMAND ${CMAKE_STRIP} ${program}
    COMMAND ${CMAKE_OBJCOPY} --add-gnu-debuglink=${program}.debug ${program}
    COMMAND ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/report ${program} ${program}.map ${budget}
    VERBATIM)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/report)
endfunction()
