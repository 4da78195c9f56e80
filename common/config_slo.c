/* slo = …: objectives, above all of a probe: its own or those of [defaults]. */
#include <string.h>

#include "config_parts.h"
#include "slo.h"
#include "value.h"

enum { WHERE_BYTES = 160 };

#define WHOLE_PPM INT64_C(1000000)
#define SLO_SYNTAX                                                                                 \
    "write 'availability RATE WINDOW' or 'latency RATE THRESHOLD WINDOW', "                        \
    "like 'latency 95% 800ms 30d'"

struct word {
    const char *text;
    size_t length;
};

static bool word_is(const struct word *word, const char *text)
{
    return strlen(text) == word->length && memcmp(text, word->text, word->length) == 0;
}

static const char *read_slo(const char *text, size_t length, struct config_slo *slo)
{
    struct word words[5];
    unsigned count = 0;
    const struct word *window;

    while (count < ARRAY_LEN(words) &&
           value_next_word(&text, &length, &words[count].text, &words[count].length)) {
        count++;
    }
    if (count == 3 && word_is(&words[0], "availability")) {
        slo->type = SLO_AVAILABILITY;
    } else if (count == 4 && word_is(&words[0], "latency")) {
        slo->type = SLO_LATENCY;
    } else {
        return SLO_SYNTAX;
    }
    window = &words[count - 1];
    if (value_rate(words[1].text, words[1].length, &slo->objective_ppm) != ERROR_NONE) {
        return "the objective is a rate like 99.9%, with at most four decimals";
    }
    if (slo->objective_ppm <= 0 || slo->objective_ppm >= WHOLE_PPM) {
        return "the objective must be above 0% and below 100%";
    }
    if (slo->type == SLO_LATENCY &&
        (value_duration(words[2].text, words[2].length, &slo->threshold_us) != ERROR_NONE ||
         slo->threshold_us <= 0)) {
        return "the threshold is a duration like 800ms, above 0";
    }
    if (slo->type == SLO_LATENCY && slo->threshold_us % RECORD_DURATION_STEP_US != 0) {
        return "durations are measured in steps of 10us, so the threshold is a multiple of 10us";
    }
    if (value_duration(window->text, window->length, &slo->window_us) != ERROR_NONE) {
        return "the window is a duration like 30d";
    }
    if (slo->window_us < SLO_WINDOW_MIN_US || slo->window_us > SLO_WINDOW_MAX_US) {
        return "the window must be 1h to 90d";
    }
    if (slo->window_us % USEC_PER_MSEC != 0) {
        return "the window must be in whole milliseconds";
    }
    return NULL;
}

static bool same_slo(const struct config_slo *a, const struct config_slo *b)
{
    return a->type == b->type && a->objective_ppm == b->objective_ppm &&
           a->threshold_us == b->threshold_us && a->window_us == b->window_us;
}

static bool has_slo(const struct config_slo *slos, unsigned count, const struct config_slo *slo)
{
    for (unsigned i = 0; i < count; i++) {
        if (same_slo(&slos[i], slo)) {
            return true;
        }
    }
    return false;
}

/* A run that takes longer than the timeout has failed, so no run could ever be too slow. */
static void check_threshold(struct config_loader *loader, const struct config_section *section,
                            const struct setting *setting, const struct config_slo *slo)
{
    const struct config *config = loader->config;
    usec_t timeout_us = config_number(config, section, PROBE_TIMEOUT);
    char threshold[VALUE_PRINT_BYTES], timeout[VALUE_PRINT_BYTES], where[WHERE_BYTES];

    if (slo->threshold_us <= timeout_us || config_times_unknown(config, section)) {
        return;
    }
    config_error_at(config, section, setting, loader->errors,
                    "'slo': the threshold of %s%s is above the timeout of %s (%s)",
                    value_print_duration(slo->threshold_us, threshold, sizeof(threshold)),
                    setting == NULL ? " from [defaults]" : "",
                    value_print_duration(timeout_us, timeout, sizeof(timeout)),
                    config_origin(config, section, PROBE_TIMEOUT, where, sizeof(where)));
}

bool config_read_slo(struct config_loader *loader, const struct config_section *section,
                     const struct setting *setting, struct config_slo *slos, uint8_t *count)
{
    const struct config *config = loader->config;
    struct config_slo slo = {0};
    const char *wrong = read_slo(config_setting_text(config, setting), setting->length, &slo);

    if (wrong == NULL && has_slo(slos, *count, &slo)) {
        wrong = "the same slo is already in the section";
    }
    if (wrong == NULL && *count == CAP_SLOS_PER_PROBE) {
        wrong = "at most " CONFIG_STRING(CAP_SLOS_PER_PROBE) " in one section";
    }
    if (wrong != NULL) {
        config_error_at(config, section, setting, loader->errors, "'slo': %s", wrong);
        return false;
    }
    slos[(*count)++] = slo;
    return true;
}

void config_read_slos(struct config_loader *loader, const struct config_section *section,
                      struct config_slo *slos, uint8_t *count)
{
    const struct setting *setting;

    for (unsigned nth = 0;
         (setting = config_setting(loader->config, section, PROBE_SLO, nth)) != NULL; nth++) {
        if (config_read_slo(loader, section, setting, slos, count)) {
            check_threshold(loader, section, setting, &slos[*count - 1]);
        }
    }
}

static void inherit_slos(struct config_loader *loader, struct config_probe *probe,
                         const struct config_defaults *defaults)
{
    memcpy(probe->slos, defaults->slos, sizeof(probe->slos));
    probe->slo_count = defaults->slo_count;
    if (config_setting(loader->config, &probe->section, PROBE_TIMEOUT, 0) == NULL) {
        return; /* then [defaults] was found good or bad by itself */
    }
    for (unsigned i = 0; i < probe->slo_count; i++) {
        check_threshold(loader, &probe->section, NULL, &probe->slos[i]);
    }
}

void config_count_slos(struct config_loader *loader, struct config_defaults *defaults,
                       unsigned slos, const struct config_section *section,
                       const struct setting *setting)
{
    const struct config *config = loader->config;

    defaults->slo_total += slos;
    if (defaults->slo_total > CAP_SLOS) {
        config_limit(loader, LIMIT_SLOS,
                     config->text + config->files[setting != NULL ? setting->file : section->file],
                     setting != NULL ? setting->line : section->line,
                     "more than %d slos over all targets", CAP_SLOS);
    }
}

void config_resolve_slos(struct config_loader *loader, struct config_defaults *defaults,
                         struct config_probe *probe)
{
    const struct config_section *section = &probe->section;

    if (config_stands(loader->config, section, PROBE_SLO)) {
        config_read_slos(loader, section, probe->slos, &probe->slo_count);
    } else {
        inherit_slos(loader, probe, defaults);
    }
    config_count_slos(loader, defaults, probe->slo_count * (unsigned)probe->target_count, section,
                      NULL);
}
