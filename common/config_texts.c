#include "config_texts.h"

#include <string.h>

#include "buffer.h"
#include "crc32c.h"

static const char head[] = "picket-texts 1 ";
static const char entry[] = "file ";

enum {
    HEAD_LENGTH = sizeof head - 1,
    ENTRY_LENGTH = sizeof entry - 1,
    HEX_DIGITS = 8,
    HEAD_BYTES = HEAD_LENGTH + HEX_DIGITS + 1
};

/* Writing. */

static void append(struct config_texts *texts, const void *bytes, size_t size)
{
    if (texts->full || size > sizeof texts->bytes - texts->used) {
        texts->full = true;
        return;
    }
    memcpy(texts->bytes + texts->used, bytes, size);
    texts->used += (uint32_t)size;
}

static void append_hex(struct config_texts *texts, uint32_t number, const char *end)
{
    char digits[HEX_DIGITS + 2];
    struct buffer out;
    buffer_init(&out, digits, sizeof digits);
    buffer_printf(&out, "%08x%s", (unsigned)number, end);
    append(texts, digits, HEX_DIGITS + 1);
}

void config_texts_begin(struct config_texts *texts)
{
    texts->used = 0;
    texts->full = false;
    append(texts, head, HEAD_LENGTH);
    append_hex(texts, 0, "\n");
}

void config_texts_add(struct config_texts *texts, const char *name, const char *text, size_t size)
{
    texts->full = texts->full || size > UINT32_MAX || strchr(name, '\n') != NULL;
    append(texts, entry, ENTRY_LENGTH);
    append_hex(texts, (uint32_t)size, " ");
    append(texts, name, strlen(name));
    append(texts, "\n", 1);
    append(texts, text, size);
    append(texts, "\n", 1);
}

bool config_texts_end(struct config_texts *texts)
{
    uint32_t used = texts->used;
    if (texts->full) {
        texts->used = 0;
        return false;
    }
    texts->used = HEAD_LENGTH;
    append_hex(texts, crc32c(0, texts->bytes + HEAD_BYTES, used - HEAD_BYTES), "\n");
    texts->used = used;
    return true;
}

/* Reading. */

static bool read_hex(const char *text, char end, uint32_t *number)
{
    *number = 0;
    for (unsigned i = 0; i < HEX_DIGITS; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
        if (digit == NULL) {
            return false;
        }
        *number = *number << 4 | (uint32_t)(digit - digits);
    }
    return text[HEX_DIGITS] == end;
}

struct file {
    const char *name; /* up to the line end */
    size_t name_length;
    const char *text;
    uint32_t size;
};

/* The file that begins at *at, which then stands behind it. False: there is none. */
static bool next_file(const struct config_texts *texts, uint32_t *at, struct file *file)
{
    const char *start = texts->bytes + *at;
    size_t left = texts->used - *at;
    if (left < ENTRY_LENGTH + HEX_DIGITS + 1 || memcmp(start, entry, ENTRY_LENGTH) != 0 ||
        !read_hex(start + ENTRY_LENGTH, ' ', &file->size)) {
        return false;
    }
    file->name = start + ENTRY_LENGTH + HEX_DIGITS + 1;
    left -= ENTRY_LENGTH + HEX_DIGITS + 1;
    const char *end = memchr(file->name, '\n', left);
    if (end == NULL) {
        return false;
    }
    file->name_length = (size_t)(end - file->name);
    file->text = end + 1;
    left -= file->name_length + 1;
    if (file->size >= left || file->text[file->size] != '\n') {
        return false;
    }
    *at = (uint32_t)(file->text + file->size + 1 - texts->bytes);
    return true;
}

uint32_t config_texts_sum(const struct config_texts *texts)
{
    uint32_t sum = 0;
    if (texts->used >= HEAD_BYTES) {
        (void)read_hex(texts->bytes + HEAD_LENGTH, '\n', &sum);
    }
    return sum;
}

bool config_texts_whole(const struct config_texts *texts)
{
    struct file file;
    uint32_t at = HEAD_BYTES, sum;
    if (texts->used <= HEAD_BYTES || texts->used > sizeof texts->bytes ||
        memcmp(texts->bytes, head, HEAD_LENGTH) != 0 ||
        !read_hex(texts->bytes + HEAD_LENGTH, '\n', &sum) ||
        sum != crc32c(0, texts->bytes + HEAD_BYTES, texts->used - HEAD_BYTES)) {
        return false;
    }
    while (next_file(texts, &at, &file)) {
    }
    return at == texts->used;
}

bool config_texts_same(const struct config_texts *one, const struct config_texts *other)
{
    return one->used > 0 && one->used == other->used &&
           memcmp(one->bytes, other->bytes, one->used) == 0;
}

OWN_FRAME static void add_file(struct config_loader *loader, const struct file *file)
{
    char name[CAP_LINE_BYTES];
    struct buffer out;
    buffer_init(&out, name, sizeof name);
    buffer_append(&out, file->name, file->name_length);
    config_add_text(loader, buffer_text(&out), file->text, file->size);
}

/* Files come in the order in which includes asked for them, so nothing has to be looked for. */
bool config_texts_load(const struct config_texts *texts, struct config *config,
                       const struct probe_kind *const *kinds, unsigned kind_count,
                       struct config_errors *errors)
{
    struct config_loader loader;
    struct file file;
    uint32_t at = HEAD_BYTES;
    const char *from;
    unsigned line;
    config_begin(&loader, config, kinds, kind_count, errors);
    while (next_file(texts, &at, &file)) {
        add_file(&loader, &file);
    }
    while (config_next_include(&loader, &from, &line) != NULL) {
    }
    return config_finish(&loader);
}
