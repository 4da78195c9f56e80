/* The configuration that is compiled into the program, as texts (config_texts.h): of a build with
 * PICKET_SITE_CONFIG, which checked it. A program of any other build has none. */
#ifndef PICKET_SITE_IMAGE_H
#define PICKET_SITE_IMAGE_H

#include <stdint.h>

extern const uint32_t site_image_bytes; /* 0: there is none */
extern const char site_image_texts[];

#endif
