/* Colours and words. Steps that follow from objectives or from the rules are computed, so that a
 * graph turns red when an alert would fire. */
#include "dashboard_parts.h"

#include "json.h"
#include "rules.h"

struct step {
    double from; /* of the first: minus infinity */
    const char *color;
};

static void append_steps(struct buffer *out, const struct step *steps, size_t count)
{
    buffer_append_string(out, "{\"mode\":\"absolute\",\"steps\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_printf(out, "%s{\"color\":\"%s\",\"value\":", i > 0 ? "," : "", steps[i].color);
        if (i == 0) {
            buffer_append_string(out, "null");
        } else {
            json_number(out, steps[i].from);
        }
        buffer_append_byte(out, '}');
    }
    buffer_append_string(out, "]}");
}

/* Red below the lowest objective of the fleet, green from the highest on. */
static void append_objective(struct buffer *out, const struct fleet *fleet)
{
    int64_t lowest = 990000, highest = 999000;
    for (size_t i = 0; i < fleet->slo_count; i++) {
        int64_t objective = fleet->slos[i].objective_ppm;
        lowest = i == 0 || objective < lowest ? objective : lowest;
        highest = i == 0 || objective > highest ? objective : highest;
    }
    const struct step steps[] = {
        {0, "red"}, {(double)lowest / 1e6, "yellow"}, {(double)highest / 1e6, "green"}};
    bool between = lowest < highest;
    if (between) {
        append_steps(out, steps, ARRAY_LEN(steps));
    } else {
        const struct step two[] = {steps[0], steps[2]};
        append_steps(out, two, ARRAY_LEN(two));
    }
}

static void append_silent(struct buffer *out, const struct fleet *fleet)
{
    double silent = (double)rules_silent_us(fleet) / (double)USEC_PER_SEC;
    const struct step steps[] = {{0, "green"}, {silent / 2, "yellow"}, {silent, "red"}};
    append_steps(out, steps, ARRAY_LEN(steps));
}

static void append_slots(struct buffer *out, const struct fleet *fleet)
{
    const struct step steps[] = {{0, "green"}, {fleet->slots, "red"}};
    append_steps(out, steps, fleet->slots > 0 ? ARRAY_LEN(steps) : 1);
}

static const struct step none[] = {{0, "green"}};
static const struct step budget[] = {{0, "red"}, {0, "orange"}, {0.25, "yellow"}, {0.5, "green"}};
static const struct step burn[] = {
    {0, "green"}, {1, "yellow"}, {3, "orange"}, {6, "red"}, {14.4, "dark-red"}};
static const struct step no_more[] = {{0, "green"}, {1, "red"}};
static const struct step all[] = {{0, "red"}, {1, "green"}};
static const struct step expiry[] = {
    {0, "red"}, {3 * 86400, "orange"}, {14 * 86400, "yellow"}, {30 * 86400, "green"}};
static const struct step status[] = {
    {0, "red"}, {200, "green"}, {300, "blue"}, {400, "orange"}, {500, "red"}};
static const struct step lag[] = {{0, "green"}, {0.25, "yellow"}, {1, "red"}};

void dashboard_steps_write(struct buffer *out, enum steps steps, const struct fleet *fleet)
{
    static const struct {
        const struct step *steps;
        size_t count;
    } table[STEPS_COUNT] = {
        [STEPS_NONE] = {none, ARRAY_LEN(none)}, [STEPS_BUDGET] = {budget, ARRAY_LEN(budget)},
        [STEPS_BURN] = {burn, ARRAY_LEN(burn)}, [STEPS_NO_MORE] = {no_more, ARRAY_LEN(no_more)},
        [STEPS_ALL] = {all, ARRAY_LEN(all)},    [STEPS_EXPIRY] = {expiry, ARRAY_LEN(expiry)},
        [STEPS_LAG] = {lag, ARRAY_LEN(lag)},    [STEPS_STATUS] = {status, ARRAY_LEN(status)},
    };
    switch (steps) {
    case STEPS_OBJECTIVE:
        append_objective(out, fleet);
        break;
    case STEPS_SILENT:
        append_silent(out, fleet);
        break;
    case STEPS_SLOTS:
        append_slots(out, fleet);
        break;
    default:
        append_steps(out, table[steps].steps, table[steps].count);
        break;
    }
}

void dashboard_words_write(struct buffer *out, enum words words)
{
    static const struct {
        const char *zero, *one;
    } table[WORDS_COUNT] = {[WORDS_OUTCOME] = {"failing", "ok"}, [WORDS_YES] = {"no", "yes"}};
    buffer_printf(out,
                  "[{\"type\":\"value\",\"options\":{\"0\":{\"text\":\"%s\",\"index\":0},"
                  "\"1\":{\"text\":\"%s\",\"index\":1}}}]",
                  table[words].zero, table[words].one);
}
