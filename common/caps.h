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
#ifndef CAP_LINE_BYTES /* one configuration line */
#define CAP_LINE_BYTES 4096
#endif
#ifndef CAP_SLOS /* SLOs over all probes */
#define CAP_SLOS 256
#endif
#ifndef CAP_SLOS_PER_PROBE
#define CAP_SLOS_PER_PROBE 4
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

#define CAP_NAME_BYTES     64  /* a probe's name, its NUL included (SPEC section 2) */
#define CAP_INSTANCE_BYTES 512 /* a target as configured, its NUL included */

#endif
