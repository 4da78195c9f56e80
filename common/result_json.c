#include "result_json.h"

#include "json.h"

static void append_phases(struct buffer *out, const struct result *result)
{
    const char *separator = "";
    json_name(out, "phases");
    buffer_append_byte(out, '{');
    for (unsigned i = 0; i < PHASE_COUNT; i++) {
        if ((result->phases_reached & PHASE_BIT(i)) != 0) {
            buffer_printf(out, "%s\"%s\":", separator, phase_name((enum phase)i));
            json_number(out, (double)result->phase_us[i] / (double)USEC_PER_SEC);
            separator = ",";
        }
    }
    buffer_append_byte(out, '}');
}

static void append_facts(struct buffer *out, const struct result *result)
{
    const char *separator = "";
    json_name(out, "facts");
    buffer_append_byte(out, '{');
    for (unsigned i = 0; i < FACT_COUNT; i++) {
        if ((result->facts_set & FACT_BIT(i)) != 0) {
            buffer_printf(out, "%s\"%s\":", separator, fact_name((enum fact)i));
            json_number(out, result->facts[i]);
            separator = ",";
        }
    }
    buffer_append_byte(out, '}');
}

/* The reading of a value the kind names, NULL when it was not read. */
static void append_value(struct buffer *out, const char *name, const struct value_reading *reading)
{
    buffer_append_string(out, "{\"name\":");
    buffer_append_json_string(out, name);
    json_flag(out, "available", reading != NULL && reading->available);
    json_name(out, "value");
    if (reading == NULL || !reading->available) {
        buffer_append_string(out, "null");
    } else if (reading->text[0] != '\0') {
        buffer_append_json_string(out, reading->text);
    } else {
        json_number(out, reading->number);
    }
    buffer_append_byte(out, '}');
}

static void append_values(struct buffer *out, const struct config *config, unsigned target,
                          const struct result *result)
{
    const struct config_probe *probe = config_target_probe(config, target);
    const struct probe_kind *kind = probe->section.kind;
    char name[CAP_NAME_BYTES];
    json_name(out, "values");
    buffer_append_byte(out, '[');
    for (unsigned i = 0; kind->value_name != NULL && i < CAP_VALUES &&
                         kind->value_name(config, &probe->section, i, name, sizeof name);
         i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        append_value(out, name, i < result->value_count ? &result->values[i] : NULL);
    }
    buffer_append_byte(out, ']');
}

static void append_tls(struct buffer *out, const struct tls_facts *tls)
{
    if (!tls->certificate && tls->version[0] == '\0') {
        json_null(out, "tls");
        return;
    }
    json_name(out, "tls");
    buffer_printf(out, "{\"certificate\":%s", tls->certificate ? "true" : "false");
    json_text(out, "version", tls->version);
    json_text(out, "cipher", tls->cipher);
    json_text(out, "subject", tls->subject);
    json_text(out, "issuer", tls->issuer);
    json_text(out, "subject_alternative", tls->subject_alternative);
    json_text(out, "serial", tls->serial);
    json_text(out, "fingerprint_sha256", tls->fingerprint_sha256);
    json_date(out, "leaf_not_before", tls->leaf_not_before);
    json_date(out, "leaf_not_after", tls->leaf_not_after);
    json_date(out, "sent_not_after", tls->sent_not_after);
    json_date(out, "verified_not_after", tls->verified_not_after);
    buffer_append_byte(out, '}');
}

void result_json_details(struct buffer *out, const struct config *config, unsigned target,
                         const struct result *result)
{
    append_phases(out, result);
    append_facts(out, result);
    append_values(out, config, target, result);
    append_tls(out, &result->tls);
}
