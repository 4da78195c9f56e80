/* The style sheet and the script of the status page, as they stand in page.css and page.js. */
#ifndef PICKET_PAGE_ASSETS_H
#define PICKET_PAGE_ASSETS_H

#include <stddef.h>

struct page_asset {
    const char *text;
    size_t length;
};
extern const struct page_asset page_style, page_script;

#endif
