/* Raw lines. inih splits a line into section, key and value; before it sees one, everything it
 * would pass over in silence (junk, over-long lines, NUL bytes, "key: value") is found here and
 * reported, and what is wrong reaches it as an empty line, so that its line numbers stay right. */
#include <ini.h>
#include <string.h>

#include "config_parts.h"
#include "utf8.h"

/* inih's buffer also holds the line's end, and a full one makes it drop the lines that follow. */
enum { LINE_BYTES = CAP_LINE_BYTES - 3, HEADER_BYTES = 100 };
_Static_assert(CAP_LINE_BYTES <= INI_MAX_LINE, "inih is built with a shorter line");

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *text)
{
    while (is_blank(*text)) {
        text++;
    }
    return text;
}

static bool is_text(const struct config_lines *lines, const char *line)
{
    size_t step;

    for (const char *at = line; *at != '\0'; at += step) {
        unsigned char byte = (unsigned char)*at;

        step = utf8_length(at);
        if (step == 0) {
            config_error(lines->errors, lines->file, lines->line,
                         "byte %u of the line is not valid UTF-8", (unsigned)(at - line) + 1);
            return false;
        }
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            config_error(lines->errors, lines->file, lines->line,
                         "control character 0x%02x; in a value, write it quoted as \"\\x%02x\"",
                         byte, byte);
            return false;
        }
    }
    return true;
}

/* "[kind name]", maybe with a comment behind. */
static bool is_header(const struct config_lines *lines, const char *line)
{
    const char *end = strchr(line, ']');
    const char *rest;

    if (end == NULL) {
        config_error(lines->errors, lines->file, lines->line, "the section header lacks its ']'");
        return false;
    }
    rest = skip_blanks(end + 1);
    if (*rest != '\0' && (*rest != ';' || rest == end + 1)) {
        config_error(lines->errors, lines->file, lines->line,
                     "unexpected text after ']': a comment there begins with ' ;'");
        return false;
    }
    if (skip_blanks(line + 1) == end) {
        config_error(lines->errors, lines->file, lines->line,
                     "the section header is empty: write [agent] or [kind name]");
        return false;
    }
    if (end - line - 1 > HEADER_BYTES) {
        config_error(lines->errors, lines->file, lines->line,
                     "the section header is too long: a name has at most %d characters",
                     CAP_NAME_BYTES - 1);
        return false;
    }
    return true;
}

static bool is_assignment(const struct config_lines *lines, const char *line)
{
    size_t key = strcspn(line, "=:");

    if (line[key] == ':') {
        config_error(lines->errors, lines->file, lines->line,
                     "a key is followed by '=', not by ':'");
        return false;
    }
    if (line[key] == '\0') {
        config_error(lines->errors, lines->file, lines->line,
                     "expected 'key = value', '[section]' or a comment");
        return false;
    }
    if (key == 0) {
        config_error(lines->errors, lines->file, lines->line, "there is no key before the '='");
        return false;
    }
    return true;
}

/* What inih is to read instead of a line that is not passed on. */
static const char *replacement(const char *line)
{
    return *skip_blanks(line) == '[' ? "[]" : "";
}

static const char *judge(const struct config_lines *lines, const char *line)
{
    const char *start = skip_blanks(line);
    bool sound;

    if (!is_text(lines, line)) {
        return replacement(line);
    }
    if (*start == '\0' || *start == '#' || *start == ';') {
        return "";
    }
    sound = *start == '[' ? is_header(lines, start) : is_assignment(lines, start);
    return sound ? line : replacement(line);
}

/* inih's fgets: the next line, judged, always with a line end. */
static char *read_line(char *out, int size, void *context)
{
    struct config_lines *lines = context;
    const char *line = lines->text + lines->at;
    size_t left = lines->size - lines->at;
    const char *end = left > 0 ? memchr(line, '\n', left) : NULL;
    size_t length = end != NULL ? (size_t)(end - line) : left;
    const char *sound;
    bool whole = true;

    if (left == 0 || size < CAP_LINE_BYTES) {
        return NULL;
    }
    lines->line++;
    lines->at += end != NULL ? length + 1 : length;
    if (memchr(line, '\0', length) != NULL) {
        config_error(lines->errors, lines->file, lines->line,
                     "the file is not text: a NUL byte; the rest is not read");
        return NULL;
    }
    if (length > 0 && line[length - 1] == '\r') {
        length--;
    }
    if (length > LINE_BYTES) {
        config_error(lines->errors, lines->file, lines->line,
                     "the line has %zu bytes; at most %d are allowed", length, LINE_BYTES);
        length = LINE_BYTES;
        whole = false;
    }
    memcpy(out, line, length);
    out[length] = '\0';
    sound = whole ? judge(lines, out) : replacement(out);
    if (sound != out) {
        length = strlen(sound);
        memcpy(out, sound, length);
    }
    out[length] = '\n';
    out[length + 1] = '\0';
    return out;
}

static int hand_over(void *context, const char *section, const char *name, const char *value,
                     int line)
{
    struct config_lines *lines = context;

    if (name == NULL) {
        lines->section(lines->context, section, (unsigned)line);
    } else {
        lines->key(lines->context, name, value, (unsigned)line);
    }
    return 1;
}

void config_lines_read(struct config_lines *lines)
{
    static const char bom[] = "\xef\xbb\xbf";
    unsigned errors = lines->errors->count;
    int line;

    if (lines->size >= 3 && memcmp(lines->text, bom, 3) == 0) {
        lines->at = 3;
    }
    line = ini_parse_stream(read_line, lines, hand_over, lines);
    /* Whatever inih refuses was refused above; should that ever differ, nothing is dropped
     * silently. */
    if (line != 0 && lines->errors->count == errors) {
        config_error(lines->errors, lines->file, line > 0 ? (unsigned)line : 0,
                     "the line cannot be read");
    }
}
