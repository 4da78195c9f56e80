################################################################################
#
# picket
#
################################################################################

# The source is the checkout this tree lies in. Its libraries are those of
# boards/deps/pins, built into the program: Buildroot's own are of other
# versions and have more in them than Picket's are built with; what is tested
# is what ships. Buildroot downloads and checks them, the build needs no
# network. A change of the checkout is taken up after picket-dirclean.

PICKET_VERSION = 0.1.0
PICKET_SOURCE =
PICKET_TOP = $(abspath $(BR2_EXTERNAL_PICKET_PATH)/../../..)
# Nothing says under which terms Picket itself may be passed on.
PICKET_REDISTRIBUTE = NO
PICKET_SUPPORTS_IN_SOURCE_BUILD = NO

# Where upstream has a library, and what boards/deps/fetch calls it
PICKET_LIBRARIES = \
	mbedtls_3.6.7.orig.tar.bz2=https://github.com/Mbed-TLS/mbedtls/releases/download/mbedtls-3.6.7/mbedtls-3.6.7.tar.bz2 \
	c-ares_1.34.8.orig.tar.gz=https://github.com/c-ares/c-ares/releases/download/v1.34.8/c-ares-1.34.8.tar.gz \
	curl_8.22.0.orig.tar.gz=https://curl.se/download/curl-8.22.0.tar.gz \
	pcre2_10.46.orig.tar.gz=https://github.com/PCRE2Project/pcre2/releases/download/pcre2-10.46/pcre2-10.46.tar.gz \
	libmodbus_3.1.11.orig.tar.gz=https://github.com/stephane/libmodbus/archive/refs/tags/v3.1.11.tar.gz \
	libinih_59.orig.tar.gz=https://github.com/benhoyt/inih/archive/refs/tags/r59.tar.gz \
	libmicrohttpd_1.0.10.orig.tar.gz=https://ftp.gnu.org/gnu/libmicrohttpd/libmicrohttpd-1.0.10.tar.gz \
	cmocka_1.1.7.orig.tar.xz=https://cmocka.org/files/1.1/cmocka-1.1.7.tar.xz
PICKET_EXTRA_DOWNLOADS = \
	$(foreach library,$(PICKET_LIBRARIES),$(lastword $(subst =, ,$(library))))

PICKET_DEPENDENCIES = $(BR2_XZCAT_HOST_DEPENDENCY)
PICKET_CONF_ENV = PICKET_CACHE=$(@D)/cache
PICKET_BUILD_ENV = $(PICKET_CONF_ENV)
PICKET_BUILD_OPTS = --target picketd
PICKET_CONF_OPTS = \
	-DCMAKE_TOOLCHAIN_FILE=$(@D)/buildroot.cmake \
	-DPICKET_COMMIT=$(shell git -C $(PICKET_TOP) rev-parse --short=12 HEAD 2>/dev/null || echo unknown) \
	-DPICKET_PROFILE=$(call qstrip,$(BR2_PACKAGE_PICKET_PROFILE)) \
	-DPICKET_HOST=OFF \
	-DPICKET_TESTS=OFF \
	-DPICKET_WERROR=OFF

define PICKET_EXTRACT_CMDS
	cp -a $(addprefix $(PICKET_TOP)/,CMakeLists.txt boards common firmware probes) $(@D)/
	mkdir -p $(@D)/cache/src
	$(foreach library,$(PICKET_LIBRARIES),\
		cp $(PICKET_DL_DIR)/$(notdir $(lastword $(subst =, ,$(library)))) \
			$(@D)/cache/src/$(firstword $(subst =, ,$(library)))$(sep))
endef

# Buildroot's toolchain file sets CMAKE_C_FLAGS, and then cmake takes none of
# boards/deps/build: libraries without sections and prefix map, a curl with
# larger tables. As CMAKE_C_FLAGS_INIT both count, Buildroot's last. Its
# default _FORTIFY_SOURCE is left out, since Picket's is 2.
define PICKET_WRITE_TOOLCHAIN_FILE
	printf '%s\n' \
		'set(CMAKE_C_FLAGS_INIT "$(filter-out -D_FORTIFY_SOURCE=1,$(TARGET_CFLAGS))")' \
		'set(CMAKE_C_FLAGS "")' \
		'include($(HOST_DIR)/share/buildroot/toolchainfile.cmake)' \
		'unset(CMAKE_C_FLAGS)' > $(@D)/buildroot.cmake
endef
PICKET_PRE_CONFIGURE_HOOKS += PICKET_WRITE_TOOLCHAIN_FILE

define PICKET_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(PICKET_BUILDDIR)/bin/picketd $(TARGET_DIR)/usr/bin/picketd
	$(INSTALL) -D -m 0644 $(@D)/boards/package/site.conf \
		$(TARGET_DIR)/etc/picket/site.conf
endef

# The last known good configuration is root's, and has its folder made for it.
define PICKET_INSTALL_INIT_SYSV
	$(INSTALL) -d -m 0700 $(TARGET_DIR)/var/lib/picket-good
	$(INSTALL) -D -m 0755 $(@D)/boards/package/sysv/S95picketd \
		$(TARGET_DIR)/etc/init.d/S95picketd
endef

define PICKET_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/boards/package/systemd/picketd.service \
		$(TARGET_DIR)/usr/lib/systemd/system/picketd.service
endef

define PICKET_USERS
	picket -1 picket -1 * - - - Picket agent
endef

$(eval $(cmake-package))
