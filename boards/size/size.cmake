# picket_ships(TARGET): a program that goes onto boards. What is left in its folder is
#   NAME         stripped, as it is installed
#   NAME.debug   what was stripped; gdb finds it beside NAME
#   NAME.map     the linker's map
#   NAME.size    bytes by floor and by library (report); also shown by the build
# A program that has more bytes than `profile_budget` is no program: the build fails.
function(picket_ships target)
  set(program $<TARGET_FILE:${target}>)
  set(budget 0)
  if(profile_budget)
    set(budget ${profile_budget})
  endif()
  target_link_options(${target} PRIVATE -Wl,-Map=${program}.map -Wl,--build-id=sha1)
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${CMAKE_OBJCOPY} --only-keep-debug ${program} ${program}.debug
    COMMAND ${CMAKE_STRIP} ${program}
    COMMAND ${CMAKE_OBJCOPY} --add-gnu-debuglink=${program}.debug ${program}
    COMMAND ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/report ${program} ${program}.map ${budget}
    VERBATIM)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/report)
endfunction()
