# Builds the pinned libraries once for the current toolchain and offers them as targets:
#   deps::curl deps::mbedtls deps::cares deps::modbus deps::inih deps::pcre2 deps::microhttpd
#   deps::cmocka
# Each carries its own include folder (as SYSTEM), its archives in link order, the libraries it
# stands on, and the defines its header needs. Include this after project(... C).
# Needs: CMAKE_C_COMPILER, and CMAKE_TOOLCHAIN_FILE when cross-building.

include_guard(GLOBAL)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

set(deps_build ${CMAKE_CURRENT_LIST_DIR}/build --cc ${CMAKE_C_COMPILER})
if(CMAKE_TOOLCHAIN_FILE)
    list(APPEND deps_build --toolchain ${CMAKE_TOOLCHAIN_FILE})
endif()
if(PICKET_CORE_ONLY)
    list(APPEND deps_build --only "inih cmocka")
endif()
execute_process(COMMAND ${deps_build}
    OUTPUT_VARIABLE deps_prefix OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE deps_result)
if(NOT deps_result EQUAL 0)
    message(FATAL_ERROR "boards/deps/build could not provide the libraries; its message is above")
endif()

file(GLOB deps_recipes CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*/*)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${CMAKE_CURRENT_LIST_DIR}/pins ${CMAKE_CURRENT_LIST_DIR}/build ${deps_recipes})

# deps_archive(NAME FOLDER ARCHIVE [LINK...]): target deps::NAME for one archive of one library.
function(deps_archive name folder archive)
    add_library(deps::${name} STATIC IMPORTED GLOBAL)
    set_target_properties(deps::${name} PROPERTIES
        IMPORTED_LOCATION ${deps_prefix}/${folder}/lib/${archive}
        INTERFACE_INCLUDE_DIRECTORIES ${deps_prefix}/${folder}/include)
    target_link_libraries(deps::${name} INTERFACE ${ARGN})
endfunction()

deps_archive(inih inih libinih.a)
deps_archive(cmocka cmocka libcmocka.a)
# Its header takes a 64-bit processor that it does not know for a 32-bit one, and would declare the
# type anew.
target_compile_definitions(deps::cmocka INTERFACE HAVE_UINTPTR_T)
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/inih/defines deps_inih_defines)
target_compile_definitions(deps::inih INTERFACE ${deps_inih_defines})
if(PICKET_CORE_ONLY)
    return()
endif()

deps_archive(mbedcrypto mbedtls libmbedcrypto.a Threads::Threads)
deps_archive(mbedx509 mbedtls libmbedx509.a deps::mbedcrypto)
deps_archive(mbedtls mbedtls libmbedtls.a deps::mbedx509)
deps_archive(cares c-ares libcares.a Threads::Threads)
deps_archive(curl curl libcurl.a deps::mbedtls deps::cares)
deps_archive(modbus modbus libmodbus.a)
deps_archive(microhttpd microhttpd libmicrohttpd.a)
deps_archive(pcre2 pcre2 libpcre2-8.a)

target_compile_definitions(deps::pcre2 INTERFACE PCRE2_CODE_UNIT_WIDTH=8)
