SUMMARY = "Synthetic-probe agent for branch sites"
DESCRIPTION = "Checks what a site depends on (web and TCP services, certificates, Modbus devices), \
keeps every result in a file of fixed size that survives power cuts, and pushes service-level \
indicators to a Prometheus Pushgateway."
SECTION = "net"

# Nothing says under which terms Picket itself may be passed on. The libraries' terms are in their
# tarballs; a product that ships the program has to honour them.
LICENSE = "CLOSED"

# The source is the checkout that the layer lies in (PICKET_TOP, in layer.conf). Its libraries are
# those of boards/deps/pins, built into the program: other layers' are of other versions and have
# more in them than Picket's are built with; what is tested is what ships. Only do_fetch needs the
# network.
FILESEXTRAPATHS:prepend := "${PICKET_TOP}:"
SRC_URI = " \
    file://CMakeLists.txt;subdir=picket \
    file://boards;subdir=picket \
    file://common;subdir=picket \
    file://firmware;subdir=picket \
    file://probes;subdir=picket \
    https://github.com/Mbed-TLS/mbedtls/releases/download/mbedtls-3.6.7/mbedtls-3.6.7.tar.bz2;name=mbedtls;downloadfilename=mbedtls_3.6.7.orig.tar.bz2;subdir=cache/src;unpack=0 \
    https://github.com/c-ares/c-ares/releases/download/v1.34.8/c-ares-1.34.8.tar.gz;name=c-ares;downloadfilename=c-ares_1.34.8.orig.tar.gz;subdir=cache/src;unpack=0 \
    https://curl.se/download/curl-8.22.0.tar.gz;name=curl;downloadfilename=curl_8.22.0.orig.tar.gz;subdir=cache/src;unpack=0 \
    https://github.com/PCRE2Project/pcre2/releases/download/pcre2-10.46/pcre2-10.46.tar.gz;name=pcre2;downloadfilename=pcre2_10.46.orig.tar.gz;subdir=cache/src;unpack=0 \
    https://github.com/stephane/libmodbus/archive/refs/tags/v3.1.11.tar.gz;name=modbus;downloadfilename=libmodbus_3.1.11.orig.tar.gz;subdir=cache/src;unpack=0 \
    https://github.com/benhoyt/inih/archive/refs/tags/r59.tar.gz;name=inih;downloadfilename=libinih_59.orig.tar.gz;subdir=cache/src;unpack=0 \
    https://ftp.gnu.org/gnu/libmicrohttpd/libmicrohttpd-1.0.10.tar.gz;name=microhttpd;downloadfilename=libmicrohttpd_1.0.10.orig.tar.gz;subdir=cache/src;unpack=0 \
    https://cmocka.org/files/1.1/cmocka-1.1.7.tar.xz;name=cmocka;downloadfilename=cmocka_1.1.7.orig.tar.xz;subdir=cache/src;unpack=0 \
"
SRC_URI[mbedtls.sha256sum] = "a7e8bcbec0e6f761b4af24f25677626b35f762f68eef79c08677a363212d11f6"
SRC_URI[c-ares.sha256sum] = "c222b6d681096f9444d2c4863d2c1174019e27cacca0a4a5c114d36dd7d7bf78"
SRC_URI[curl.sha256sum] = "d54dd598bf05927a726deb38df31c6a255ba83ff1de57c5d1464dac3ed8f44a1"
SRC_URI[pcre2.sha256sum] = "8d28d7f2c3b970c3a4bf3776bcbb5adfc923183ce74bc8df1ebaad8c1985bd07"
SRC_URI[modbus.sha256sum] = "8a750452ef86a53de6cec6fbca67bd5be08d0a1e87278a422fbce3003fd42d99"
SRC_URI[inih.sha256sum] = "062279922805f5e9a369551a08d5ddb506140fe50774183ffdbb7c22bb97e3f4"
SRC_URI[microhttpd.sha256sum] = "04bfe8ef75db7d629a33de767599765cecadc56274a39822d5d081030d577685"
SRC_URI[cmocka.sha256sum] = "810570eb0b8d64804331f82b29ff47c790ce9cd6b163e98d47a4807047ecad82"

# Releases before 5.1 have no UNPACKDIR.
PICKET_UNPACKED = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"
S = "${PICKET_UNPACKED}/picket"

inherit cmake systemd update-rc.d useradd

# boards/deps/build needs more of coreutils than bitbake lends.
DEPENDS = "coreutils-native xz-native"
RRECOMMENDS:${PN} = "ca-certificates"

def picket_commit(d):
    import oe.buildcfg
    return oe.buildcfg.get_metadata_git_revision(d.getVar('PICKET_TOP'))[:12].strip('<>')

# A file in boards/profiles, such as raspberry-pi: limits and defaults of a board. Empty: those of
# the README.
PICKET_PROFILE ?= ""

EXTRA_OECMAKE = "-DPICKET_COMMIT=${@picket_commit(d)} -DPICKET_PROFILE=${PICKET_PROFILE} \
    -DPICKET_HOST=OFF -DPICKET_TESTS=OFF -DPICKET_WERROR=OFF"
export PICKET_CACHE = "${PICKET_UNPACKED}/cache"

# The compiler finds its C library by the options in CC alone; boards/deps/build calls it without.
# Flags in cmake's cache would keep out those of boards/deps/build; as _INIT both count.
OECMAKE_C_COMPILER = "${WORKDIR}/picket-gcc"
do_generate_toolchain_file:append() {
    sed -i 's/^set( CMAKE_C_FLAGS \(".*"\) CACHE STRING .*)$/set( CMAKE_C_FLAGS_INIT \1 )/' \
        ${WORKDIR}/toolchain.cmake
    printf '#!/bin/sh\nexec %s "$@"\n' '${CC}' > ${WORKDIR}/picket-gcc
    chmod 755 ${WORKDIR}/picket-gcc
}

OECMAKE_TARGET_COMPILE = "picketd"

do_install() {
    install -D -m 0755 ${B}/bin/picketd ${D}${bindir}/picketd
    install -D -m 0644 ${S}/boards/package/site.conf ${D}${sysconfdir}/picket/site.conf
    if ${@bb.utils.contains('DISTRO_FEATURES', 'systemd', 'true', 'false', d)}; then
        install -D -m 0644 ${S}/boards/package/systemd/picketd.service \
            ${D}${systemd_system_unitdir}/picketd.service
    else
        # The last known good configuration is root's, and has its folder made for it.
        install -d -m 0700 ${D}${localstatedir}/lib/picket-good
        install -D -m 0755 ${S}/boards/package/sysv/S95picketd ${D}${sysconfdir}/init.d/picketd
    fi
}

SYSTEMD_SERVICE:${PN} = "picketd.service"
INITSCRIPT_NAME = "picketd"
INITSCRIPT_PARAMS = "defaults 95 10"
USERADD_PACKAGES = "${PN}"
USERADD_PARAM:${PN} = "--system --no-create-home --home-dir /nonexistent --shell /bin/false \
    --user-group picket"
CONFFILES:${PN} = "${sysconfdir}/picket/site.conf"
