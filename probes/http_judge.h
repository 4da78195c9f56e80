/* The verdict over an answer that came: status, headers, body. Pure.
 *
 * The first cause wins, in the order of SPEC section 3: status, header, too_large, truncated, body;
 * among rules, reject before expect, then the order of the file. */
#ifndef PICKET_HTTP_JUDGE_H
#define PICKET_HTTP_JUDGE_H

#include "http_answer.h"
#include "http_rules.h"
#include "pattern.h"
#include "result.h"

enum http_rule_kind { HTTP_RULE_REJECT, HTTP_RULE_EXPECT };

struct http_rule {
    enum http_rule_kind kind;
    const char *name; /* of the header; NULL: the body */
    size_t name_length;
    const char *text; /* as configured, for the note */
    struct pattern *pattern;
};

struct http_criteria {
    struct http_status_set status;
    const char *status_text;                           /* as configured, for the note */
    const struct http_rule *header_rules, *body_rules; /* in the order of judging */
    unsigned header_rule_count, body_rule_count;
};

/* Decides the result and sets FACT_FAILED_DUE_TO_REGEX. answer->end is not HTTP_END_OPEN. */
void http_judge(const struct http_criteria *criteria, const struct http_answer *answer,
                struct result *result);

#endif
