#include "blockdev.h"

#include <assert.h>

static const char *const names[] = {
    [BLOCK_OK] = "ok",         [BLOCK_MISSING] = "missing",     [BLOCK_NO_SPACE] = "no_space",
    [BLOCK_IO] = "io",         [BLOCK_READ_ONLY] = "read_only", [BLOCK_DENIED] = "denied",
    [BLOCK_IN_USE] = "in_use",
};
static_assert(ARRAY_LEN(names) == BLOCK_ERROR_COUNT, "one name for each error");

const char *block_error_name(enum block_error error)
{
    return error < BLOCK_ERROR_COUNT ? names[error] : "invalid";
}
