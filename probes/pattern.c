#include "pattern.h"

#include <ctype.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"

/* Automatic callouts report each item of the pattern that is tried; one costs about as much as
 * stepping over so many characters. */
enum { WORK_PER_ITEM = 8 };
/* What one start may cost, and how often it may go back, which is less: a turn ends between starts,
 * so they bound how long it lasts. */
enum { START_WORK = 6000000, MATCH_LIMIT = 500000 };
/* PCRE2 begins a search with room for this many frames, or fails when they do not fit. */
enum { FIRST_FRAMES = 10 };
/* PCRE2 compiles a group by calling itself. Its own limit, 250, would take 150 KiB of the stack. */
enum { NESTED_GROUPS = 8 };

struct pattern {
    pcre2_code *code;
    bool refers_back; /* to a group */
    bool at_once;     /* it asks where the search began (\G): that must not be where a turn began */
};

/* Shared by all patterns: a search uses it from begin to end, and there is one thread. */
static struct {
    unsigned users;
    pcre2_match_context *context;
    pcre2_match_data *data;
} scratch;

struct work {
    const struct pattern *pattern;
    uint64_t used, allowed;
    uint64_t pause;  /* what may be used before it pauses at the next start */
    uint64_t before; /* what was used before this start */
    size_t start;    /* of the match that is tried */
    size_t position; /* where the last callout was */
    bool paused;     /* nothing begins before `start` */
};

/* What a reference to a group may have been compared with, which no callout tells. */
static uint64_t longest_group(const pcre2_callout_block *block)
{
    uint64_t longest = 0;
    for (uint32_t i = 1; i < block->capture_top; i++) {
        size_t from = block->offset_vector[2 * i], to = block->offset_vector[2 * i + 1];
        if (from != PCRE2_UNSET && to > from && to - from > longest) {
            longest = to - from;
        }
    }
    return longest;
}

/* Counts what was done since the last call: one item, and the characters it stepped over. */
static int count_work(pcre2_callout_block *block, void *context)
{
    struct work *work = context;
    if (block->start_match != work->start) {
        work->start = block->start_match;
        work->before = work->used;
        work->paused = work->used >= work->pause;
        if (work->paused) {
            return PCRE2_ERROR_CALLOUT;
        }
    }
    size_t from = work->position, to = block->current_position;
    work->position = to;
    work->used += WORK_PER_ITEM + (to > from ? to - from : from - to);
    work->used += work->pattern->refers_back ? longest_group(block) : 0;
    bool over = work->used > work->allowed || work->used - work->before > START_WORK;
    return over ? PCRE2_ERROR_CALLOUT : 0;
}

/* Makes PCRE2 take all the memory it may ever use now: it grows its frames during a search, and
 * never gives them back. A pattern with so many groups that FIRST_FRAMES frames pass the limit
 * gets exactly the limit. */
static bool grow_frames(void)
{
    enum { GROUPS = CAP_PATTERN_HEAP_KIB * 1024 / (FIRST_FRAMES * 2 * (int)sizeof(size_t)) };
    char *text = malloc(2 * GROUPS);
    if (text == NULL) {
        return false;
    }
    for (size_t i = 0; i < GROUPS; i++) {
        memcpy(text + 2 * i, "()", 2);
    }
    int error_code;
    size_t error_offset;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)text, 2 * GROUPS, 0, &error_code, &error_offset, NULL);
    free(text);
    if (code == NULL) {
        return false;
    }
    /* The answer does not matter: the frames are there before the search begins. */
    (void)pcre2_match(code, (PCRE2_SPTR) "", 0, 0, 0, scratch.data, scratch.context);
    pcre2_code_free(code);
    return pcre2_get_match_data_heapframes_size(scratch.data) >=
           (PCRE2_SIZE)CAP_PATTERN_HEAP_KIB * 1024;
}

static void scratch_release(void)
{
    if (--scratch.users == 0) {
        pcre2_match_data_free(scratch.data);
        pcre2_match_context_free(scratch.context);
        scratch.data = NULL;
        scratch.context = NULL;
    }
}

static bool scratch_acquire(void)
{
    if (scratch.users++ > 0) {
        return true;
    }
    scratch.context = pcre2_match_context_create(NULL);
    scratch.data = pcre2_match_data_create(PATTERN_GROUPS, NULL);
    if (scratch.context != NULL && scratch.data != NULL) {
        pcre2_set_match_limit(scratch.context, MATCH_LIMIT);
        pcre2_set_heap_limit(scratch.context, CAP_PATTERN_HEAP_KIB);
        if (grow_frames()) {
            return true;
        }
    }
    scratch_release();
    return false;
}

static pcre2_code *compile_with(const char *text, size_t length, uint32_t options, char *why,
                                size_t why_size)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context == NULL) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
    pcre2_set_parens_nest_limit(context, NESTED_GROUPS);
    int error_code;
    size_t error_offset;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)text, length, options, &error_code, &error_offset, context);
    pcre2_compile_context_free(context);
    if (code == NULL) {
        PCRE2_UCHAR message[160];
        pcre2_get_error_message(error_code, message, sizeof message);
        snprintf(why, why_size, "%s at offset %zu", (const char *)message, error_offset);
    }
    return code;
}

/* Whether PCRE2 knows a last letter of all matches, perhaps in both cases: before each start it
 * looks whether that letter is still to come, first in one case, then in the other. A text with one
 * case alone is then read to its end from every start, and no callout counts it. */
static bool looks_ahead_twice(const pcre2_code *code, const char *text, size_t length,
                              unsigned flags)
{
    uint32_t known = 0, letter = 0;
    pcre2_pattern_info(code, PCRE2_INFO_LASTCODETYPE, &known);
    pcre2_pattern_info(code, PCRE2_INFO_LASTCODEUNIT, &letter);
    bool caseless = (flags & PATTERN_CASELESS) != 0 || memmem(text, length, "(?", 2) != NULL;
    return known != 0 && isalpha((int)letter) && caseless;
}

static pcre2_code *compile(const char *text, size_t length, unsigned flags, char *why,
                           size_t why_size)
{
    uint32_t options = PCRE2_AUTO_CALLOUT;
    options |= (flags & PATTERN_CASELESS) != 0 ? PCRE2_CASELESS : 0;
    options |= (flags & PATTERN_MULTILINE) != 0 ? PCRE2_MULTILINE : 0;
    pcre2_code *code = compile_with(text, length, options, why, why_size);
    if (code != NULL && looks_ahead_twice(code, text, length, flags)) {
        pcre2_code_free(code);
        code = compile_with(text, length, options | PCRE2_NO_START_OPTIMIZE, why, why_size);
    }
    if (code == NULL) {
        return NULL;
    }
    size_t frame_bytes = 0;
    pcre2_pattern_info(code, PCRE2_INFO_FRAMESIZE, &frame_bytes);
    if (frame_bytes * FIRST_FRAMES > (size_t)CAP_PATTERN_HEAP_KIB * 1024) {
        snprintf(why, why_size, "too many groups");
        pcre2_code_free(code);
        return NULL;
    }
    return code;
}

struct pattern *pattern_new(const char *text, size_t length, unsigned flags, char *why,
                            size_t why_size)
{
    pcre2_code *code = compile(text, length, flags, why, why_size);
    if (code == NULL) {
        return NULL;
    }
    struct pattern *pattern = malloc(sizeof *pattern);
    if (pattern == NULL || !scratch_acquire()) {
        snprintf(why, why_size, "out of memory");
        free(pattern);
        pcre2_code_free(code);
        return NULL;
    }
    pattern->code = code;
    uint32_t references = 0;
    pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &references);
    pattern->refers_back = references > 0;
    pattern->at_once = memmem(text, length, "\\G", 2) != NULL;
    return pattern;
}

void pattern_free(struct pattern *pattern)
{
    if (pattern != NULL) {
        pcre2_code_free(pattern->code);
        free(pattern);
        scratch_release();
    }
}

static void read_groups(int found, struct pattern_group *groups)
{
    const size_t *ends = pcre2_get_ovector_pointer(scratch.data);
    /* 0 says that the pattern has more groups than PATTERN_GROUPS; the first ones are there. */
    int count = found == 0 ? PATTERN_GROUPS : found;
    for (int i = 0; i < PATTERN_GROUPS; i++) {
        bool set = i < count && ends[2 * i] != PCRE2_UNSET;
        /* \K in a look-ahead can end a match before its start. */
        size_t length = set && ends[2 * i + 1] > ends[2 * i] ? ends[2 * i + 1] - ends[2 * i] : 0;
        groups[i] = (struct pattern_group){set ? ends[2 * i] : SIZE_MAX, length};
    }
}

static enum pattern_match search(const struct pattern_text *text, struct work *work,
                                 struct pattern_group *groups)
{
    /* PCRE2 then answers "partial" wherever it would have to look at what comes next. */
    uint32_t options = (text->place & PATTERN_UNFINISHED) != 0 ? PCRE2_PARTIAL_HARD : 0;
    options |= (text->place & PATTERN_MIDDLE) != 0 ? PCRE2_NOTBOL : 0;
    work->before = work->used;
    work->start = text->start;
    work->position = text->start;
    pcre2_set_callout(scratch.context, count_work, work);
    int found = pcre2_match(work->pattern->code, text->bytes, text->length, text->start, options,
                            scratch.data, scratch.context);
    if (found == PCRE2_ERROR_NOMATCH) {
        return PATTERN_NO;
    }
    if (found == PCRE2_ERROR_PARTIAL) {
        return PATTERN_UNCERTAIN;
    }
    if (found < 0) {
        return PATTERN_LIMIT;
    }
    if (groups != NULL) {
        read_groups(found, groups);
    }
    return PATTERN_YES;
}

enum pattern_match pattern_search(const struct pattern *pattern, const struct pattern_text *text,
                                  uint64_t *spare, struct pattern_group *groups)
{
    uint64_t own = (uint64_t)PATTERN_WORK_PER_BYTE * (text->length - text->start);
    struct work work = {.pattern = pattern, .allowed = own + *spare, .pause = UINT64_MAX};
    enum pattern_match match = search(text, &work, groups);
    uint64_t over = work.used > own ? work.used - own : 0;
    *spare -= over < *spare ? over : *spare;
    return match;
}

bool pattern_search_turn(const struct pattern *pattern, const void *subject, size_t length,
                         struct pattern_progress *progress, uint64_t *left,
                         enum pattern_match *match)
{
    struct pattern_text text = {.bytes = subject, .length = length, .start = progress->start};
    struct work work = {.pattern = pattern,
                        .used = progress->work,
                        .allowed = PATTERN_WORK_SPARE + (uint64_t)PATTERN_WORK_PER_BYTE * length,
                        .pause = pattern->at_once ? UINT64_MAX : progress->work + *left};
    *match = search(&text, &work, NULL);
    uint64_t used = work.used - progress->work;
    *left -= used < *left ? used : *left;
    *progress = (struct pattern_progress){work.start, work.used};
    return !work.paused;
}
