/* Every fixed size of the agent in one place. A board profile overrides any of them with -D.
 *
 * Memory follows from these numbers alone: the agent allocates at start and never after. Pages of
 * an unused tail are never touched, so a generous cap costs address space, not resident memory. */
#ifndef PICKET_CAPS_H
#define PICKET_CAPS_H

#ifndef CAP_PROBES /* [kind name] sections */
#define CAP_PROBES 256
#endif
#ifndef CAP_TARGETS /* series carriers: one per url/address of a probe */
#define CAP_TARGETS 256
#endif
#ifndef CAP_RUNS /* probes in flight at once; the upper limit of `concurrency` */
#define CAP_RUNS 64
#endif
#ifndef CAP_SETTINGS /* key = value lines over all files */
#define CAP_SETTINGS 4096
#endif
#ifndef CAP_TEXT_BYTES /* all strings of the configuration */
#define CAP_TEXT_BYTES (192 * 1024)
#endif
#ifndef CAP_FILES /* configuration files read through include */
#define CAP_FILES 64
#endif
#ifndef CAP_CONFIG_TEXTS_BYTES /* all these files, to be kept as last known good */
#define CAP_CONFIG_TEXTS_BYTES (512 * 1024)
#endif
#ifndef CAP_LINE_BYTES /* one configuration line */
#define CAP_LINE_BYTES 4096
#endif
#ifndef CAP_SLOS /* SLOs over all targets */
#define CAP_SLOS 256
#endif
#ifndef CAP_SLOS_PER_PROBE /* and per group; a probe's with what its groups have counted of it */
#define CAP_SLOS_PER_PROBE 4
#endif
#ifndef CAP_SLO_GROUPS /* [slo NAME] sections */
#define CAP_SLO_GROUPS 16
#endif
#ifndef CAP_MAINTENANCES /* [maintenance NAME] sections */
#define CAP_MAINTENANCES 16
#endif
#ifndef CAP_MAINTENANCE_TIMES /* of one of them */
#define CAP_MAINTENANCE_TIMES 8
#endif
#ifndef CAP_LABELS /* configured labels on one series: the agent's and the probe's together */
#define CAP_LABELS 16
#endif
#ifndef CAP_VALUES /* named values one probe reads (Modbus) */
#define CAP_VALUES 48
#endif
#ifndef CAP_VALUE_TEXT_BYTES /* a string value, its NUL included */
#define CAP_VALUE_TEXT_BYTES 40
#endif
#ifndef CAP_NOTE_BYTES /* the note of a result, its NUL included */
#define CAP_NOTE_BYTES 192
#endif
#ifndef CAP_CERT_TEXT_BYTES /* a certificate fact that becomes a label, its NUL included */
#define CAP_CERT_TEXT_BYTES 257
#endif
#ifndef CAP_ADDRESSES /* addresses of one name that are tried */
#define CAP_ADDRESSES 8
#endif
#ifndef CAP_WAITS /* descriptors the loop watches at once */
#define CAP_WAITS 512
#endif
#ifndef CAP_PATTERN_HEAP_KIB /* backtracking memory of regular expressions, shared by all */
#define CAP_PATTERN_HEAP_KIB 256
#endif
#ifndef CAP_DIALOG_INPUT_BYTES /* what a tcp dialog holds of its input: the longest line */
#define CAP_DIALOG_INPUT_BYTES (16 * 1024)
#endif
#ifndef CAP_DIALOG_OUTPUT_BYTES /* one `send`, its ${N} filled in */
#define CAP_DIALOG_OUTPUT_BYTES (4 * 1024)
#endif

#ifndef CAP_STORE_BLOCKS /* of 4 KiB in a store: the upper limit of `store_size` */
#define CAP_STORE_BLOCKS 16384
#endif

#define CAP_NAME_BYTES     64  /* a probe's name, its NUL included (SPEC section 2) */
#define CAP_INSTANCE_BYTES 512 /* a target as configured, its NUL included */

/* What a profile may ask for. */
_Static_assert(CAP_PROBES >= 1 && CAP_PROBES <= 4096, "CAP_PROBES is not 1 to 4096");
_Static_assert(CAP_TARGETS >= CAP_PROBES && CAP_TARGETS <= 4096,
               "CAP_TARGETS is not CAP_PROBES to 4096: a probe has one target at least");
_Static_assert(CAP_RUNS >= 1 && CAP_RUNS <= CAP_TARGETS, "CAP_RUNS is not 1 to CAP_TARGETS");
_Static_assert(CAP_WAITS >= 4 * CAP_RUNS + 32,
               "CAP_WAITS is less than 4 for each of CAP_RUNS and 32 for all else");
_Static_assert(CAP_SETTINGS >= 4 * CAP_PROBES && CAP_SETTINGS <= 65535,
               "CAP_SETTINGS is not 4 for each of CAP_PROBES to 65535");
_Static_assert(CAP_TEXT_BYTES >= 16 * 1024, "CAP_TEXT_BYTES is less than 16K");
_Static_assert(CAP_FILES >= 1 && CAP_FILES <= 4096, "CAP_FILES is not 1 to 4096");
_Static_assert(CAP_LINE_BYTES >= 512, "CAP_LINE_BYTES is less than 512");
_Static_assert(CAP_SLOS >= 1 && CAP_SLOS_PER_PROBE >= 1, "there is no room for an SLO");
_Static_assert(CAP_SLO_GROUPS >= 1, "there is no room for an SLO over a group");
_Static_assert(CAP_MAINTENANCES >= 1 && CAP_MAINTENANCE_TIMES >= 1,
               "there is no room for a maintenance");
_Static_assert(CAP_LABELS >= 1 && CAP_VALUES >= 1, "there is no room for a label or a value");
_Static_assert(CAP_VALUE_TEXT_BYTES >= 8 && CAP_NOTE_BYTES >= 64 && CAP_CERT_TEXT_BYTES >= 64,
               "texts of results are cut too short");
_Static_assert(CAP_ADDRESSES >= 1, "CAP_ADDRESSES is less than 1");
_Static_assert(CAP_DIALOG_INPUT_BYTES >= 1024 && CAP_DIALOG_OUTPUT_BYTES >= 256,
               "lines of dialogs are cut too short");
_Static_assert(CAP_STORE_BLOCKS >= 16 && CAP_STORE_BLOCKS <= 16384,
               "CAP_STORE_BLOCKS is not 16 to 16384");

#endif
