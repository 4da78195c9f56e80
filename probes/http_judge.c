#include "http_judge.h"

#include <stdio.h>
#include <string.h>

enum { EXCERPT_BYTES = 48 };

static void judge_status(const struct http_criteria *criteria, const struct http_answer *answer,
                         struct result *result)
{
    unsigned cursor = 0;
    /* An interim status is no answer yet: it came before headers without end. */
    if ((answer->status < 200 && !answer->head_done) ||
        http_status_has(&criteria->status, answer->status))
        return;
    const char *location = http_answer_header(answer, "location", 8, &cursor);
    result_fail(result, REASON_STATUS, PHASE_PROCESSING, "status %d, expected %s%s%s",
                answer->status, criteria->status_text, location ? ", location " : "",
                location ? location : "");
}

/* What one rule found: a pattern that gives up has found nothing it could vouch for, so a reject
 * fails as much as an expect. */
static bool rule_holds(const struct http_rule *rule, enum pattern_match match)
{
    return match == (rule->kind == HTTP_RULE_EXPECT ? PATTERN_YES : PATTERN_NO);
}

/* Over all values of a header: one match decides, a search that gave up comes second. */
static enum pattern_match search_header(const struct http_rule *rule,
                                        const struct http_answer *answer, uint64_t *spare,
                                        bool *present)
{
    enum pattern_match found = PATTERN_NO;
    unsigned cursor = 0;
    const char *value;
    *present = false;
    while (found != PATTERN_YES &&
           (value = http_answer_header(answer, rule->name, rule->name_length, &cursor))) {
        struct pattern_text text = {.bytes = value, .length = strlen(value)};
        enum pattern_match match = pattern_search(rule->pattern, &text, spare, NULL);
        *present = true;
        if (match != PATTERN_NO)
            found = match;
    }
    return found;
}

static const char *verb_of(enum pattern_match match)
{
    return match == PATTERN_YES  ? "matches"
           : match == PATTERN_NO ? "does not match"
                                 : "takes too much work to match";
}

static void judge_headers(const struct http_criteria *criteria, const struct http_answer *answer,
                          struct result *result)
{
    uint64_t spare = PATTERN_WORK_SPARE;
    for (unsigned i = 0; i < criteria->header_rule_count && answer->head_done; i++) {
        const struct http_rule *rule = &criteria->header_rules[i];
        bool present;
        enum pattern_match match = search_header(rule, answer, &spare, &present);
        if (rule_holds(rule, match))
            continue;
        result_fact_set(result, FACT_FAILED_DUE_TO_REGEX, 1);
        result_fail(result, REASON_HEADER, PHASE_PROCESSING, "header %.*s %s %s",
                    (int)rule->name_length, rule->name,
                    present ? verb_of(match) : "is missing, expected", rule->text);
        return;
    }
}

static void judge_end(const struct http_answer *answer, struct result *result)
{
    if (answer->end == HTTP_END_HEAD_TOO_LARGE)
        result_fail(result, REASON_TOO_LARGE, PHASE_TRANSFER, "headers over %u KiB or %d lines",
                    HTTP_HEAD_BYTES / 1024U, HTTP_HEAD_LINES);
    else if (answer->end == HTTP_END_TOO_LARGE)
        result_fail(result, REASON_TOO_LARGE, PHASE_TRANSFER, "body over %zu bytes",
                    answer->body_limit);
    else if (answer->end == HTTP_END_TRUNCATED)
        result_fail(result, REASON_TRUNCATED, PHASE_TRANSFER,
                    "body ended after %zu bytes, more were announced", answer->body_bytes);
}

void http_judge_head(const struct http_criteria *criteria, const struct http_answer *answer,
                     struct result *result)
{
    result_fact_set(result, FACT_FAILED_DUE_TO_REGEX, 0);
    judge_status(criteria, answer, result);
    if (!result_decided(result))
        judge_headers(criteria, answer, result);
    if (!result_decided(result))
        judge_end(answer, result);
}

bool http_judge_body(const struct http_criteria *criteria, const struct http_answer *answer,
                     struct http_search *search, struct result *result)
{
    uint64_t left = PATTERN_TURN_WORK;
    for (; search->rule < criteria->body_rule_count; search->rule++) {
        const struct http_rule *rule = &criteria->body_rules[search->rule];
        enum pattern_match match;
        if (!pattern_search_turn(rule->pattern, answer->body, answer->body_bytes, &search->at,
                                 &left, &match))
            return false;
        search->at = (struct pattern_progress){0};
        if (rule_holds(rule, match))
            continue;
        int shown = answer->body_bytes < EXCERPT_BYTES ? (int)answer->body_bytes : EXCERPT_BYTES;
        result_fact_set(result, FACT_FAILED_DUE_TO_REGEX, 1);
        result_fail(result, REASON_BODY, PHASE_TRANSFER, "body %s %.64s (%zu bytes%s: %.*s)",
                    verb_of(match), rule->text, answer->body_bytes,
                    answer->end == HTTP_END_CUT ? " read" : "", shown, (const char *)answer->body);
        return true;
    }
    result_succeed(result);
    if (answer->end == HTTP_END_CUT)
        result_note(result, "body cut at %zu bytes, the rest was not read", answer->body_bytes);
    return true;
}
