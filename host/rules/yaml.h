/* Texts inside YAML, PromQL and its regular expressions: each in the quotes of all it stands in. */
#ifndef PICKET_YAML_H
#define PICKET_YAML_H

#include <stdio.h>

/* A double-quoted YAML scalar. What is no printable character of YAML (1.2, production 1) is
 * escaped; `text` is UTF-8. */
void yaml_string(FILE *out, const char *text);
/* The same of a text that is made of parts: begin, any number of parts, end. */
void yaml_begin(FILE *out);
void yaml_part(FILE *out, const char *text);
void yaml_end(FILE *out);

/* Writes `text` as a part (above), in the form in which a PromQL string in double quotes matches
 * exactly this text as a regular expression (RE2). */
void yaml_part_regex(FILE *out, const char *text);

#endif
