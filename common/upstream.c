#include "upstream.h"

#include <assert.h>

static const char *const class_names[] = {
    [UPSTREAM_ACCEPTED] = "accepted",
    [UPSTREAM_REJECTED] = "rejected",
    [UPSTREAM_BUSY] = "busy",
    [UPSTREAM_REDIRECTED] = "redirected",
    [UPSTREAM_UNREACHABLE] = "unreachable",
    [UPSTREAM_TIMEOUT] = "timeout",
};
static_assert(ARRAY_LEN(class_names) == UPSTREAM_CLASS_COUNT, "one name for each class");

const char *upstream_class_name(enum upstream_class class)
{
    return class < UPSTREAM_CLASS_COUNT ? class_names[class] : "invalid";
}
