/* No configuration is compiled in. A program that has one defines these itself, and the linker
 * leaves this member of the library out. */
#include "site_image.h"

const uint32_t site_image_bytes = 0;
const char site_image_texts[] = "";
