/* make_site_image FILE OUT: checks a configuration and writes it, with all it includes, as C: what
 * a build with PICKET_SITE_CONFIG compiles in. A program of the build, made like picketd, so that
 * it knows the kinds and limits of the board; on another processor it is emulated. Errors are those
 * of `check --no-files`: what the configuration names is on the board, not here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "site.h"
#include "verbs.h"

enum { BYTES_A_LINE = 16 };

static struct config config;
static struct config_texts texts;

static void write_texts(FILE *out)
{
    fprintf(out,
            "#include \"site_image.h\"\n\n"
            "const uint32_t site_image_bytes = %uU;\n"
            "const char site_image_texts[] = {",
            (unsigned)texts.used);
    for (uint32_t i = 0; i < texts.used; i++) {
        fprintf(out, "%s'\\x%02x',", i % BYTES_A_LINE == 0 ? "\n    " : " ",
                (unsigned)(unsigned char)texts.bytes[i]);
    }
    fprintf(out, "\n};\n");
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "Usage: make_site_image FILE OUT\n");
        return EXIT_CODE_USAGE;
    }
    const char *file = argv[1], *path = argv[2];
    struct config_errors errors = site_errors();
    bool good = site_read(file, &config, &errors, &texts);
    site_count_errors(file, &errors);
    if (!good) {
        return EXIT_CODE_USAGE;
    }
    if (texts.used == 0) {
        fprintf(stderr, "%s: with what it includes too large to be compiled in\n", file);
        return EXIT_CODE_USAGE;
    }
    FILE *out = fopen(path, "w");
    if (out) {
        write_texts(out);
    }
    if (!out || ferror(out) || fclose(out) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return EXIT_CODE_FAILURE;
    }
    return EXIT_CODE_OK;
}
