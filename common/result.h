/* What one run of one target yields: fixed size, copyable, without pointers.
 *
 * The vocabularies (outcome, reason, phase, fact) are SPEC sections 3 and 4: their names are label
 * values and series names, so a name is never changed and never reused. */
#ifndef PICKET_RESULT_H
#define PICKET_RESULT_H

#include "base.h"
#include "caps.h"

enum outcome {
    OUTCOME_SUCCESS,
    OUTCOME_FAILURE,
    OUTCOME_UNKNOWN, /* the agent itself could not measure; counted, never part of an SLI */
    OUTCOME_COUNT
};

/* In the order in which they win: the first cause on the way. */
enum reason {
    REASON_RESOLVE,
    REASON_CONNECT,
    REASON_REFUSED,
    REASON_UNREACHABLE,
    REASON_TIMEOUT,
    REASON_RESET,
    REASON_TLS_HANDSHAKE,
    REASON_TLS_POLICY,
    REASON_CERT_EXPIRED,
    REASON_CERT_NOT_YET_VALID,
    REASON_CERT_UNTRUSTED,
    REASON_CERT_NAME,
    REASON_CERT_PIN,
    REASON_CERT_SOON,
    REASON_REDIRECT,
    REASON_STATUS,
    REASON_HEADER,
    REASON_TOO_LARGE,
    REASON_TRUNCATED,
    REASON_BODY,
    REASON_PROTOCOL,
    REASON_EXPECT,
    REASON_EXCEPTION,
    REASON_RANGE,
    REASON_STUCK,
    REASON_RCODE,
    REASON_ANSWER,
    REASON_LOSS,
    REASON_INTERNAL,
    REASON_COUNT,
    REASON_NONE = REASON_COUNT
};
#define REASON_BIT(reason) ((uint64_t)1 << (reason))

enum phase {
    PHASE_RESOLVE,
    PHASE_CONNECT,
    PHASE_STARTTLS,
    PHASE_TLS,
    PHASE_PROCESSING,
    PHASE_TRANSFER,
    PHASE_DIALOG,
    PHASE_REQUEST,
    PHASE_SETUP,
    PHASE_RTT,
    PHASE_COUNT,
    PHASE_NONE = PHASE_COUNT
};
#define PHASE_BIT(phase) ((uint32_t)1 << (phase))

/* Numbers of the last run that become gauges under blackbox_exporter's names; fact_name() and
 * fact_help() have the series. A fact is exported only when it was set. */
enum fact {
    FACT_DNS_LOOKUP_SECONDS, /* set by the runner for every kind */
    FACT_IP_PROTOCOL,        /* 4 or 6 */
    FACT_IP_ADDR_HASH,       /* FNV-1a 32 over the 4 or 16 address bytes */
    FACT_HTTP_STATUS_CODE,
    FACT_HTTP_CONTENT_LENGTH,
    FACT_HTTP_UNCOMPRESSED_BODY_LENGTH,
    FACT_HTTP_REDIRECTS,
    FACT_HTTP_SSL,
    FACT_HTTP_VERSION,
    FACT_HTTP_LAST_MODIFIED,
    FACT_FAILED_DUE_TO_REGEX,
    FACT_FAILED_DUE_TO_BYTES,
    FACT_ICMP_REPLY_HOP_LIMIT,
    FACT_DNS_ANSWER_RRS,
    FACT_DNS_AUTHORITY_RRS,
    FACT_DNS_ADDITIONAL_RRS,
    FACT_DNS_QUERY_SUCCEEDED,
    FACT_DNS_SERIAL,
    FACT_COUNT
};
#define FACT_BIT(fact) ((uint64_t)1 << (fact))

/* Certificate and session facts, filled whatever the verdict was. Texts are UTF-8 made safe by the
 * probe (control and invalid bytes escaped, cut at CAP_CERT_TEXT_BYTES - 1). Times are Unix
 * seconds; 0 = not known. */
struct tls_facts {
    bool certificate; /* a certificate was received */
    int64_t leaf_not_before;
    int64_t leaf_not_after;
    int64_t sent_not_after;     /* earliest over all certificates the peer sent */
    int64_t verified_not_after; /* earliest over the verified chain; 0 when none verified */
    char version[8];            /* "TLS 1.3", "" when no handshake completed */
    char cipher[48];            /* IANA name, "" likewise */
    char subject[CAP_CERT_TEXT_BYTES];
    char issuer[CAP_CERT_TEXT_BYTES];
    char subject_alternative[CAP_CERT_TEXT_BYTES]; /* DNS names joined by "," */
    char serial[CAP_CERT_TEXT_BYTES];              /* lower-case hex */
    char fingerprint_sha256[65];                   /* of the leaf, lower-case hex */
};

/* One named value (a Modbus `read`); its name is the configuration's, by index. */
struct value_reading {
    bool available;                  /* false: exception, sentinel, NaN or not read in this run */
    double number;                   /* 0 for a text value */
    char text[CAP_VALUE_TEXT_BYTES]; /* "" for a number; made safe like a note */
};

struct result {
    uint16_t target; /* index into config.targets */
    enum outcome outcome;
    enum reason reason;           /* REASON_NONE unless outcome is failure */
    enum phase phase;             /* where it ended badly; PHASE_NONE on success */
    bool decided;                 /* false: the run has not come to its verdict */
    bool maintenance;             /* set by the agent: it is judged by nobody */
    usec_t started_us;            /* monotonic */
    usec_t duration_us;           /* whole run, resolve included */
    uint32_t phases_reached;      /* PHASE_BIT of each phase that has a duration */
    usec_t phase_us[PHASE_COUNT]; /* summed over redirects */
    uint64_t facts_set;           /* FACT_BIT of each fact that has a value */
    double facts[FACT_COUNT];
    struct tls_facts tls;
    uint16_t value_count;
    struct value_reading values[CAP_VALUES];
    char note[CAP_NOTE_BYTES]; /* for people, on the device only; printable ASCII */
};

/* A fresh result: unknown, no reason, nothing reached. */
void result_init(struct result *result, uint16_t target, usec_t started_us);

/* Ends the verdict. Only the first call of these three counts: the first cause wins. The note is
 * printf-like, may be "", and is escaped and cut. */
void result_succeed(struct result *result);
void result_fail(struct result *result, enum reason reason, enum phase phase, const char *note, ...)
    PRINTF_LIKE(4, 5);
void result_unknown(struct result *result, enum phase phase, const char *note, ...)
    PRINTF_LIKE(3, 4);
bool result_decided(const struct result *result);

/* Replaces the note of a result without touching its verdict ("body cut at 65536 bytes"). */
void result_note(struct result *result, const char *note, ...) PRINTF_LIKE(2, 3);

/* Adds to a phase and marks it reached. A negative duration counts as 0. */
void result_phase_add(struct result *result, enum phase phase, usec_t duration_us);
void result_fact_set(struct result *result, enum fact fact, double value);

/* Label values and series names; a value outside the enum gives "invalid". */
const char *outcome_name(enum outcome outcome);
const char *reason_name(enum reason reason); /* REASON_NONE gives "" */
const char *phase_name(enum phase phase);    /* PHASE_NONE gives "" */
const char *fact_name(enum fact fact);       /* the whole series name */
const char *fact_help(enum fact fact);

#endif
