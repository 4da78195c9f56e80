# What an installation consists of, and how it is packed: `cmake --build --preset X --target
# package` makes build/X/package/picketd_VERSION_ARCH.deb and picket-VERSION-X.tar.gz, of a static
# program only. The same commit gives the same bytes, in whatever folder.
#
# Components: `agent` is what `cmake --install` puts below its prefix; `debian` and `tarball` are
# what these two packages have besides, and are installed by nothing else.

get_directory_property(PICKET_COMMIT DIRECTORY common DEFINITION PICKET_COMMIT)
set(PICKET_MAINTAINER "Picket maintainers <picket@localhost>" CACHE STRING
  "Maintainer field of the Debian package")
set(package_files ${CMAKE_CURRENT_LIST_DIR})
set(package_made ${CMAKE_BINARY_DIR}/package/made)
cmake_path(GET CMAKE_BINARY_DIR FILENAME package_preset)

# The time of the commit stands for the time of the build.
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  set(package_epoch $ENV{SOURCE_DATE_EPOCH})
else()
  execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} log -1 --format=%ct
    OUTPUT_VARIABLE package_epoch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT package_epoch)
    set(package_epoch 315532800) # no commit to ask: 1980, the first year that archives can tell
  endif()
endif()
execute_process(COMMAND date -u -R -d @${package_epoch}
  OUTPUT_VARIABLE PICKET_DATE OUTPUT_STRIP_TRAILING_WHITESPACE)
execute_process(COMMAND date -u -d @${package_epoch} +%Y
  OUTPUT_VARIABLE PICKET_YEAR OUTPUT_STRIP_TRAILING_WHITESPACE)
execute_process(COMMAND ${CMAKE_C_COMPILER} -dumpfullversion
  OUTPUT_VARIABLE package_cc_version OUTPUT_STRIP_TRAILING_WHITESPACE)
execute_process(COMMAND ${CMAKE_C_COMPILER} -dumpmachine
  OUTPUT_VARIABLE package_machine OUTPUT_STRIP_TRAILING_WHITESPACE)

# The bill of materials and the notices, made of what the linker took.
set(package_map $<TARGET_FILE:picketd>.map)
add_custom_command(
  OUTPUT ${package_made}/picketd.spdx.json ${package_made}/THIRD-PARTY-NOTICES.txt
  COMMAND ${CMAKE_COMMAND} -E env PREFIX=${deps_prefix} LIBC=${board_libc}
    VERSION=${PROJECT_VERSION} COMMIT=${PICKET_COMMIT} PRESET=${package_preset}
    CC_VERSION=${package_cc_version} EPOCH=${package_epoch}
    ${package_files}/sbom ${package_map} ${package_made}
  DEPENDS picketd ${package_files}/sbom ${package_files}/gcc-runtime-exception.txt
    ${PROJECT_SOURCE_DIR}/boards/deps/pins ${PROJECT_SOURCE_DIR}/boards/deps/licenses
  COMMENT "Bill of materials and notices" VERBATIM)

# Debian wants its documentation compressed, without a name and a time in it.
set(package_compressed)
function(package_compress source name)
  add_custom_command(OUTPUT ${package_made}/${name}.gz
    COMMAND gzip -9n < ${source} > ${package_made}/${name}.gz DEPENDS ${source})
  set(package_compressed ${package_compressed} ${package_made}/${name}.gz PARENT_SCOPE)
endfunction()
configure_file(${package_files}/deb/changelog.in ${package_made}/changelog @ONLY)
configure_file(${package_files}/deb/copyright.in ${package_made}/copyright @ONLY)
package_compress(${package_made}/changelog changelog)
package_compress(${package_made}/THIRD-PARTY-NOTICES.txt THIRD-PARTY-NOTICES.txt)
package_compress(${package_files}/picketd.8 picketd.8)
package_compress(${PROJECT_SOURCE_DIR}/README.md README.md)
add_custom_target(package_files ALL
  DEPENDS ${package_made}/picketd.spdx.json ${package_compressed})

set(package_doc share/doc/picketd)
install(TARGETS picketd RUNTIME DESTINATION bin COMPONENT agent)
install(FILES ${package_files}/systemd/picketd.service DESTINATION lib/systemd/system
  COMPONENT agent)
install(FILES ${package_made}/picketd.8.gz DESTINATION share/man/man8 COMPONENT agent)
install(FILES ${package_made}/picketd.spdx.json ${package_made}/README.md.gz
  ${package_made}/THIRD-PARTY-NOTICES.txt.gz DESTINATION ${package_doc} COMPONENT agent)
install(FILES ${package_files}/site.conf DESTINATION ${package_doc}/examples COMPONENT agent)

install(FILES ${package_files}/site.conf DESTINATION /etc/picket
  COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${package_made}/copyright ${package_made}/changelog.gz DESTINATION ${package_doc}
  COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${package_files}/deb/lintian-overrides DESTINATION share/lintian/overrides
  RENAME picketd COMPONENT debian EXCLUDE_FROM_ALL)

install(TARGETS picketd RUNTIME DESTINATION . COMPONENT tarball EXCLUDE_FROM_ALL)
install(PROGRAMS ${package_files}/tarball/install.sh DESTINATION . COMPONENT tarball
  EXCLUDE_FROM_ALL)
install(FILES ${package_files}/site.conf ${PROJECT_SOURCE_DIR}/README.md
  ${package_made}/picketd.spdx.json ${package_made}/THIRD-PARTY-NOTICES.txt DESTINATION .
  COMPONENT tarball EXCLUDE_FROM_ALL)
install(FILES ${package_files}/systemd/picketd.service DESTINATION init COMPONENT tarball
  EXCLUDE_FROM_ALL)
install(FILES ${package_files}/tarball/picketd.procd ${package_files}/tarball/picketd.openrc
  DESTINATION init COMPONENT tarball EXCLUDE_FROM_ALL)

# Compilers and Debian name machines differently.
set(package_architectures "x86_64-linux-gnu=amd64" "arm-linux-gnueabihf=armhf"
  "arm-linux-gnueabi=armel" "aarch64-linux-gnu=arm64")
list(FILTER package_architectures INCLUDE REGEX "^${package_machine}=")
string(REGEX REPLACE "^.*=" "" package_architecture "${package_architectures}")

set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_NAME picketd)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "${PICKET_MAINTAINER}")
set(CPACK_PACKAGE_VENDOR "Picket maintainers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "synthetic probes and health checks for branch sites")
set(CPACK_PACKAGE_DESCRIPTION
  "An agent for the gateway of a site. It checks on schedule what the site
depends on (web and TCP services, certificates, Modbus devices), keeps every
result in a file of fixed size that survives power cuts, and pushes
service-level indicators to a Prometheus Pushgateway.
The program is static. As installed it probes nothing until it is configured.")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/package)
set(CPACK_PACKAGE_FILE_NAME picket-${PROJECT_VERSION}-${package_preset})
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_COMPONENTS_ALL agent debian tarball)
set(CPACK_PROJECT_CONFIG_FILE ${package_files}/cpack_config.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${package_files}/cpack_finish.cmake)
set(CPACK_PICKET_EPOCH ${package_epoch})
set(CPACK_PICKET_READELF ${CMAKE_READELF})

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
set(CPACK_COMPONENT_INCLUDE_TOPLEVEL_DIRECTORY ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_NAME picketd)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${package_architecture})
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${package_files}/deb/conffiles
  ${package_files}/deb/postinst ${package_files}/deb/prerm ${package_files}/deb/postrm)
include(CPack)
