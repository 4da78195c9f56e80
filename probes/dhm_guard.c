#include "dhm_guard.h"

#include <mbedtls/dhm.h>

/* The names the linker gives to the wrapped function and to mbedTLS' own. */
int __wrap_mbedtls_dhm_read_params(mbedtls_dhm_context *group, unsigned char **at,
                                   const unsigned char *end);
int __real_mbedtls_dhm_read_params(mbedtls_dhm_context *group, unsigned char **at,
                                   const unsigned char *end);

int __wrap_mbedtls_dhm_read_params(mbedtls_dhm_context *group, unsigned char **at,
                                   const unsigned char *end)
{
    int error = __real_mbedtls_dhm_read_params(group, at, end);
    if (error == 0 && mbedtls_dhm_get_bitlen(group) > DHM_GUARD_BITS) {
        return MBEDTLS_ERR_DHM_BAD_INPUT_DATA;
    }
    return error;
}
