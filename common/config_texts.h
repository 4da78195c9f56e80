/* The texts a configuration was read from, in one piece: the file and all it includes, each under
 * its name, so that whoever reads them again, another version too, finds the same errors in the
 * same lines. No binary form of a configuration ever leaves a process. Secrets are never in it:
 * configurations name the files they are in (`…_file`).
 *
 *   picket-texts 1 CRC\n                  CRC-32C of all that follows, 8 hexadecimal digits
 *   file SIZE /etc/picket/site.conf\n     SIZE: bytes of the text, likewise; the first is the file
 *   …text…\n
 *   file SIZE /etc/picket/conf.d/a.conf\n
 *   …text…\n
 *
 * The sum tells torn and rotten texts from whole ones; it is no defence against forgery. Pure.
 * Memory: of the caller's, touched as far as it is used. Thread rule: none. */
#ifndef PICKET_CONFIG_TEXTS_H
#define PICKET_CONFIG_TEXTS_H

#include "config.h"

struct config_texts {
    uint32_t used; /* 0: none, or they were too large */
    bool full;     /* … which is so while they are being written */
    char bytes[CAP_CONFIG_TEXTS_BYTES];
};

/* Writing: begin, add each file in the order it is read, end. True: they are whole. False: there is
 * no room for them, or a name has a line end in it; `used` is 0 then. */
void config_texts_begin(struct config_texts *texts);
void config_texts_add(struct config_texts *texts, const char *name, const char *text, size_t size);
bool config_texts_end(struct config_texts *texts);

/* Whether the first `used` bytes, which may come from anywhere, are whole texts. */
bool config_texts_whole(const struct config_texts *texts);
/* Stands for the texts: others have another one, but for one in four billion. 0: there are none. */
uint32_t config_texts_sum(const struct config_texts *texts);
/* Whether there are some, and both are the same. */
bool config_texts_same(const struct config_texts *one, const struct config_texts *other);

/* Reads them as they were read from files, of which none is opened. True when *config is complete
 * and checked; else something was reported. Only whole texts. */
bool config_texts_load(const struct config_texts *texts, struct config *config,
                       const struct probe_kind *const *kinds, unsigned kind_count,
                       struct config_errors *errors);

#endif
