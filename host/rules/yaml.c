#include "yaml.h"

#include <string.h>

#include "utf8.h"

/* Well-formed UTF-8 of `length` bytes. */
static unsigned long code_point(const unsigned char *bytes, size_t length)
{
    static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned long point = bytes[0] & lead[length];
    for (size_t i = 1; i < length; i++) {
        point = point << 6 | (bytes[i] & 0x3fU);
    }
    return point;
}

/* Line separators are printable, but end a line for some readers of YAML. */
static int is_printable(unsigned long point)
{
    return (point >= 0x20 && point <= 0x7e) ||
           (point >= 0xa0 && point != 0x2028 && point != 0x2029 && point != 0xfeff &&
            (point & 0xfffe) != 0xfffe);
}

void yaml_begin(FILE *out)
{
    fputc('"', out);
}

void yaml_part(FILE *out, const char *text)
{
    while (*text != '\0') {
        size_t length = utf8_length(text);
        if (length == 0) {
            fputs(UTF8_REPLACEMENT, out);
            text++;
            continue;
        }
        unsigned long point = code_point((const unsigned char *)text, length);
        if (!is_printable(point)) {
            fprintf(out, "\\U%08lX", point);
        } else {
            if (point == '"' || point == '\\') {
                fputc('\\', out);
            }
            fwrite(text, 1, length, out);
        }
        text += length;
    }
}

void yaml_end(FILE *out)
{
    fputc('"', out);
}

void yaml_string(FILE *out, const char *text)
{
    yaml_begin(out);
    yaml_part(out, text);
    yaml_end(out);
}

/* A class of one character needs no backslash, which PromQL would want twice; a caret or backslash
 * cannot stand alone in one. */
void yaml_part_regex(FILE *out, const char *text)
{
    char part[8];
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '^') {
            snprintf(part, sizeof part, "\\\\%s%c", *text == '\\' ? "\\" : "", *text);
        } else if (*text == '"') {
            snprintf(part, sizeof part, "\\\"");
        } else if (strchr(".+*?()|[]{}$", *text) != NULL) {
            snprintf(part, sizeof part, "[%c]", *text);
        } else {
            size_t length = utf8_length(text);
            length = length == 0 ? 1 : length;
            memcpy(part, text, length);
            part[length] = '\0';
            text += length - 1;
        }
        yaml_part(out, part);
    }
}
