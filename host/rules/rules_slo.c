/* Method: one sum of good and bad events for each window, and every ratio is one sum over another.
 * An average of ratios would weigh a quiet minute like a busy one, and is NaN for a whole window as
 * soon as nothing arrived in one part of it; after a gap in the pushes, all that was counted in the
 * meantime arrives at once and weighs as much as it is. A ratio without events is no sample.
 *
 * An increase is the highest value less the lowest: a counter of an agent never falls within its
 * epoch. Where one falls, a gateway was killed and shows its state of minutes ago; increase() would
 * take that for a reset, and count all that the counter ever counted once more.
 *
 * `without` keeps the labels that sites and probes were given, for routing. A counter begins anew
 * under a new `epoch`, so that is summed away. */
#include <inttypes.h>

#include <string.h>

#include "rules.h"
#include "value.h"
#include "yaml.h"

struct window {
    const char *name;
    usec_t duration_us;
};

static const struct window short_windows[] = {
    {"5m", 5 * USEC_PER_MINUTE}, {"30m", 30 * USEC_PER_MINUTE}, {"1h", USEC_PER_HOUR},
    {"2h", 2 * USEC_PER_HOUR},   {"6h", 6 * USEC_PER_HOUR},
};
static const struct window long_windows[] = {
    {"1d", USEC_PER_DAY},
    {"3d", 3 * USEC_PER_DAY},
};

/* Google's SRE Workbook, chapter 5, tables 5-8; the third row is sloth's. */
struct burn {
    const char *factor, *long_window, *short_window;
};
struct burn_alert {
    const char *severity, *speed;
    struct burn burns[2];
};
static const struct burn_alert burn_alerts[] = {
    {"page", "fast", {{"14.4", "1h", "5m"}, {"6", "6h", "30m"}}},
    {"ticket", "slowly", {{"3", "1d", "2h"}, {"1", "3d", "6h"}}},
};
/* The share of bad events that factor 6 and factor 1 are of is above all there are below these. */
enum { PAGE_OBJECTIVE_MIN_PPM = 833334 };
/* Two runs have to fit into the longer short window. */
#define PAGE_INTERVAL_MAX_US   (15 * USEC_PER_MINUTE)
#define TICKET_INTERVAL_MAX_US (3 * USEC_PER_HOUR)

#define EVENTS     "picket_slo_events_total{job=\"picket\"}"
#define BAD_EVENTS "picket_slo_events_total{job=\"picket\",result=\"bad\"}"

static void write_ratio(FILE *out, const char *window)
{
    fprintf(out,
            "  - record: slo:picket_slo_errors_per_event:ratio_rate%s\n"
            "    expr: slo:picket_slo_bad_events:increase%s"
            " / (slo:picket_slo_events:increase%s > 0)\n",
            window, window, window);
}

static void write_windows(FILE *out, const struct window *windows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = windows[i].name;
        fprintf(out,
                "  - record: slo:picket_slo_bad_events:increase%s\n"
                "    expr: sum without (epoch, result) (max_over_time(" BAD_EVENTS
                "[%s]) - min_over_time(" BAD_EVENTS "[%s]))\n"
                "  - record: slo:picket_slo_events:increase%s\n"
                "    expr: sum without (epoch, result) (max_over_time(" EVENTS
                "[%s]) - min_over_time(" EVENTS "[%s]))\n",
                name, name, name, name, name, name);
        write_ratio(out, name);
    }
}

/* Objectives outlast a gateway that was restarted and is empty until the next push, and with them
 * the alerts that compare with them: one that ends and begins again is a second page. */
static void write_objective(FILE *out, const struct fleet *fleet)
{
    char silent[VALUE_PRINT_BYTES];
    fprintf(out,
            "  - record: slo:picket_slo_objective:ratio\n"
            "    expr: last_over_time(picket_slo_objective_ratio{job=\"picket\"}[%s])\n",
            value_print_duration(rules_silent_us(fleet), silent, sizeof silent));
}

/* SLOs of the own windows. */

/* One SLO at all sites that have it, a run in the sorted array. */
struct family {
    const struct fleet_slo *first;
    size_t count;
    bool other_windows; /* elsewhere */
};

static bool same_slo(const struct fleet_slo *a, const struct fleet_slo *b)
{
    return strcmp(a->probe, b->probe) == 0 && strcmp(a->name, b->name) == 0;
}

static struct family family_at(const struct fleet *fleet, size_t at)
{
    const struct fleet_slo *first = &fleet->slos[at];
    size_t end = at;
    while (end < fleet->slo_count && same_slo(first, &fleet->slos[end]) &&
           fleet->slos[end].window_us == first->window_us) {
        end++;
    }
    return (struct family){
        .first = first,
        .count = end - at,
        .other_windows = (at > 0 && same_slo(first, first - 1)) ||
                         (end < fleet->slo_count && same_slo(first, &fleet->slos[end])),
    };
}

static void part_selector(FILE *out, const struct fleet *fleet, const struct family *family)
{
    yaml_part(out, "job=\"picket\",probe=\"");
    yaml_part(out, family->first->probe);
    yaml_part(out, "\",slo=\"");
    yaml_part(out, family->first->name);
    yaml_part(out, "\"");
    for (size_t i = 0; family->other_windows && i < family->count; i++) {
        yaml_part(out, i == 0 ? ",site=~\"" : "|");
        yaml_part_regex(out, fleet->sites[family->first[i].site].name);
    }
    yaml_part(out, family->other_windows ? "\"" : "");
}

/* The result has these labels already; one of a group has no probe. They tell the rules of one name
 * apart, for promtool, which would take them for duplicates, and for the page of rules. */
static void write_labels(FILE *out, const struct family *family)
{
    fputs("    labels:\n", out);
    if (family->first->probe[0] != '\0') {
        fputs("      probe: ", out);
        yaml_string(out, family->first->probe);
        fputc('\n', out);
    }
    fputs("      slo: ", out);
    yaml_string(out, family->first->name);
    fputc('\n', out);
}

static void write_own_sum(FILE *out, const struct fleet *fleet, const struct family *family,
                          const char *what, const char *result)
{
    char window[VALUE_PRINT_BYTES];
    value_print_duration(family->first->window_us, window, sizeof window);
    fprintf(out, "  - record: slo:picket_slo_%s:increase%s\n    expr: ", what, window);
    yaml_begin(out);
    const char *before[] = {"sum without (epoch, result) (max_over_time(", " - min_over_time("};
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        yaml_part(out, before[i]);
        yaml_part(out, "picket_slo_events_total{");
        part_selector(out, fleet, family);
        yaml_part(out, result);
        yaml_part(out, "}[");
        yaml_part(out, window);
        yaml_part(out, "])");
    }
    yaml_part(out, ")");
    yaml_end(out);
    fputc('\n', out);
    write_labels(out, family);
}

static bool is_written(usec_t window_us)
{
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(short_windows); i++) {
        found = found || short_windows[i].duration_us == window_us;
    }
    for (size_t i = 0; i < ARRAY_LEN(long_windows); i++) {
        found = found || long_windows[i].duration_us == window_us;
    }
    return found;
}

static void write_budget(FILE *out, const struct fleet *fleet, const struct family *family)
{
    char window[VALUE_PRINT_BYTES];
    value_print_duration(family->first->window_us, window, sizeof window);
    fputs("  - record: slo:picket_slo_error_budget_remaining:ratio\n    expr: ", out);
    yaml_begin(out);
    yaml_part(out, "1 - slo:picket_slo_errors_per_event:ratio_rate");
    yaml_part(out, window);
    yaml_part(out, "{");
    part_selector(out, fleet, family);
    yaml_part(out, "} / (1 - slo:picket_slo_objective:ratio)");
    yaml_end(out);
    fputc('\n', out);
    write_labels(out, family);
    fprintf(out, "      window: %s\n", window);
}

/* A ratio of its window is recorded once for all SLOs that have the window. */
static bool is_first_of_window(const struct fleet *fleet, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (fleet->slos[i].window_us == fleet->slos[at].window_us) {
            return false;
        }
    }
    return true;
}

static void write_own_windows(FILE *out, const struct fleet *fleet)
{
    char window[VALUE_PRINT_BYTES];
    struct family family;
    for (size_t i = 0; i < fleet->slo_count; i += family.count) {
        family = family_at(fleet, i);
        if (!is_written(family.first->window_us)) {
            write_own_sum(out, fleet, &family, "bad_events", ",result=\"bad\"");
            write_own_sum(out, fleet, &family, "events", "");
        }
    }
    for (size_t i = 0; i < fleet->slo_count; i++) {
        if (!is_written(fleet->slos[i].window_us) && is_first_of_window(fleet, i)) {
            write_ratio(out, value_print_duration(fleet->slos[i].window_us, window, sizeof window));
        }
    }
    for (size_t i = 0; i < fleet->slo_count; i += family.count) {
        family = family_at(fleet, i);
        write_budget(out, fleet, &family);
    }
}

/* Alerts. */

/* A failure alone is half of what such a probe did in five minutes, and says nothing. */
static void write_burn(FILE *out, const struct burn *burn)
{
    const char *windows[] = {burn->long_window, burn->short_window};
    for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
        fprintf(out,
                "      slo:picket_slo_errors_per_event:ratio_rate%s"
                " > %s * (1 - slo:picket_slo_objective:ratio)\n      and\n",
                windows[i], burn->factor);
    }
    fprintf(out, "      slo:picket_slo_bad_events:increase%s > 1\n", burn->short_window);
}

/* Both speeds of one severity are one alert: what goes from one to the other stays one page. */
static void write_burn_alert(FILE *out, const struct burn_alert *alert)
{
    fputs("  - alert: PicketErrorBudgetBurn\n    expr: |\n", out);
    write_burn(out, &alert->burns[0]);
    fputs("      or\n", out);
    write_burn(out, &alert->burns[1]);
    fprintf(
        out,
        "    labels:\n"
        "      severity: %s\n"
        "    annotations:\n"
        "      summary: \"{{ or $labels.probe $labels.slo }} at site {{ $labels.site }} spends its"
        " error budget %s\"\n"
        "      description: \"{{ $value | humanizePercentage }} of the events of {{ $labels.slo }}"
        "{{ with $labels.probe }} of {{ . }}{{ end }} ({{ $labels.instance }}) were bad\"\n",
        alert->severity, alert->speed);
}

void rules_write_slos(FILE *out, const struct fleet *fleet)
{
    fputs("- name: picket_slo_windows\n  rules:\n", out);
    write_objective(out, fleet);
    write_windows(out, short_windows, ARRAY_LEN(short_windows));
    fputs("- name: picket_slo_long_windows\n"
          "  interval: 2m # long windows move slowly and cost most\n"
          "  rules:\n",
          out);
    write_windows(out, long_windows, ARRAY_LEN(long_windows));
    write_own_windows(out, fleet);
    fputs("- name: picket_slo_alerts\n  rules:\n", out);
    for (size_t i = 0; i < ARRAY_LEN(burn_alerts); i++) {
        write_burn_alert(out, &burn_alerts[i]);
    }
}

void rules_note_slos(FILE *out, const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->slo_count; i++) {
        const struct fleet_slo *slo = &fleet->slos[i];
        const char *site = fleet->sites[slo->site].name;
        const char *separator = slo->probe[0] != '\0' ? ": " : "";
        char interval[VALUE_PRINT_BYTES];
        if (slo->interval_us > PAGE_INTERVAL_MAX_US) {
            fprintf(out, "note: %s: %s%s%s: a run every %s is too rare for %s\n", site, slo->probe,
                    separator, slo->name,
                    value_print_duration(slo->interval_us, interval, sizeof interval),
                    slo->interval_us > TICKET_INTERVAL_MAX_US ? "any alert on its budget"
                                                              : "a page, but not for a ticket");
        }
        if (slo->objective_ppm < PAGE_OBJECTIVE_MIN_PPM) {
            fprintf(out,
                    "note: %s: %s%s%s: an objective below 83.4%% cannot page: were all events bad,"
                    " it would burn at less than 6\n",
                    site, slo->probe, separator, slo->name);
        }
    }
}
