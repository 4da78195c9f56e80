/* What a running agent knows, as a page for the browser of whoever stands at the site: HTML that
 * needs nothing but its style sheet, reads without scripts and without colour, and is the same
 * tables as the `status` verb's, with a spark line for each target. Pure: reads the agent, writes a
 * buffer. */
#ifndef PICKET_PAGE_H
#define PICKET_PAGE_H

#include "agent.h"

/* The names under which the page asks for its style sheet and its script. */
#define PAGE_STYLE_PATH  "/page.css"
#define PAGE_SCRIPT_PATH "/page.js"

/* An upper bound of the page's bytes for a configuration. */
size_t page_bound(const struct config *config);
void page_render(const struct agent *agent, usec_t now_us, struct buffer *out);

#endif
