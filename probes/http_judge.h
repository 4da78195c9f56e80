/* The verdict over an answer that came: status, headers, body. Pure. A body of a megabyte can take
 * long to search, so that is done in turns.
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

/* How far the search of a body is: {0} to begin. */
struct http_search {
    unsigned rule;
    struct pattern_progress at; /* of that rule */
};

/* Judges all but the body, and sets FACT_FAILED_DUE_TO_REGEX. A result that is not decided after it
 * is the body's to decide. answer->end is not HTTP_END_OPEN. */
void http_judge_head(const struct http_criteria *criteria, const struct http_answer *answer,
                     struct result *result);
/* One turn of judging the body. True: the result is decided. False: call it again. */
bool http_judge_body(const struct http_criteria *criteria, const struct http_answer *answer,
                     struct http_search *search, struct result *result);

#endif
