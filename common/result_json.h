/* The details of one run as JSON members: phases, facts, values, tls. One writer for `status` and
 * `probe`, so that the two cannot differ. */
#ifndef PICKET_RESULT_JSON_H
#define PICKET_RESULT_JSON_H

#include "buffer.h"
#include "config.h"

/* Appends ,"phases":{…},"facts":{…},"values":[…],"tls":{…}|null of a result of `target`. Values
 * that the result does not have are there as unavailable. */
void result_json_details(struct buffer *out, const struct config *config, unsigned target,
                         const struct result *result);

#endif
