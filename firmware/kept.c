#include "kept.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hash.h"
#include "linux_logger.h"
#include "owned_file.h"
#include "site.h"

/* The last of a list that is parted by colons: a unit that names a second folder means this. */
static const char *folder_of(const char *state)
{
    const char *list = getenv("STATE_DIRECTORY");
    if (state) {
        return state;
    }
    if (!list || list[0] == '\0') {
        return KEPT_FOLDER;
    }
    const char *colon = strrchr(list, ':');
    return colon ? colon + 1 : list;
}

/* The name as it was given, made absolute: where it leads to may change with each rollout. */
void kept_find_place(const char *file, const char *state, struct kept_place *place)
{
    char here[PATH_MAX] = "";
    (void)snprintf(place->folder, sizeof place->folder, "%s", folder_of(state));
    place->name[0] = '\0';
    bool is_relative = file[0] != '/' && strcmp(file, SITE_IMAGE) != 0;
    if (strcmp(file, "-") == 0 || (is_relative && !getcwd(here, sizeof here))) {
        return;
    }
    (void)snprintf(place->name, sizeof place->name, "%016" PRIx64 ".texts",
                   hash64_strings(here, file, ""));
}

/* Reading. */

static void warn_of_error(void *context, const char *file, unsigned line, const char *message)
{
    logger_printf(context, LOG_LEVEL_WARNING, "last known good configuration: %s:%u: %s", file,
                  line, message);
}

/* Whether `texts` now hold one that was kept and this version can read; it is in *config then. */
static bool find_kept(const struct kept_place *place, struct config_texts *texts,
                      struct config *config, const struct logger *logger)
{
    char why[OWNED_FILE_WHY_BYTES];
    size_t length = 0;
    struct config_errors errors = {.context = (void *)(uintptr_t)logger, .report = warn_of_error};
    enum error error = owned_file_folder(place->folder, why);
    if (error) {
        logger_printf(logger, LOG_LEVEL_INFO,
                      "the last known good configuration will not outlive the parent: %s", why);
        return false;
    }
    error = owned_file_read(place->folder, place->name, texts->bytes, sizeof texts->bytes, &length,
                            why);
    texts->used = (uint32_t)length;
    if (!error && config_texts_whole(texts)) {
        return site_read_texts(texts, config, &errors);
    }
    if (error != ERROR_MISSING) {
        logger_printf(logger, LOG_LEVEL_WARNING,
                      "the configuration kept as last known good is not used: %s/%s", place->folder,
                      error ? why : place->name);
        if (!error) {
            logger_printf(logger, LOG_LEVEL_WARNING, "its texts are damaged");
        }
    }
    return false;
}

static void seek(const struct kept_place *place, struct brief *brief, struct config *config,
                 const struct logger *logger)
{
    struct config_texts *texts = &brief->texts[1 - brief->newest];
    brief->found = place->name[0] != '\0' && find_kept(place, texts, config, logger);
    if (brief->found) {
        brief->found_pushes = config_text(config, &config->push, PUSH_URL, NULL) != NULL;
    } else {
        texts->used = 0;
    }
    atomic_store(&brief->sought, 1);
}

/* With a good one at hand the errors are news for the log; else they are the end of a command that
 * somebody may have typed. */
static bool load_file(const char *file, struct config *config, struct config_texts *texts,
                      bool has_good, const struct logger *logger)
{
    struct config_errors errors = has_good ? site_logged_errors(logger) : site_errors();
    if (strcmp(file, "-") == 0) {
        (void)lseek(STDIN_FILENO, 0, SEEK_SET);
    }
    if (site_read(file, config, &errors, texts)) {
        return true;
    }
    if (has_good) {
        logger_printf(logger, LOG_LEVEL_ERROR, "%s has errors (%u), and is not what runs", file,
                      errors.count);
    } else {
        site_count_errors(file, &errors);
    }
    return false;
}

bool kept_load(const struct kept_place *place, struct supervised *supervised, const char *file,
               struct config *config)
{
    struct linux_logger state;
    struct logger logger = linux_logger(&state, LOG_LEVEL_INFO);
    struct brief *brief = supervised->brief;
    struct config_errors errors = site_logged_errors(&logger);
    if (supervised->by_parent && atomic_load(&brief->sought) == 0) {
        seek(place, brief, config, &logger);
    }
    const struct config_texts *good = &brief->texts[1 - brief->newest];
    if (supervised->use_good) {
        return site_read_texts(good, config, &errors);
    }
    return load_file(file, config, &brief->texts[brief->newest], good->used > 0, &logger);
}

/* Writing. */

void kept_write(const struct kept_place *place, const struct config_texts *texts,
                const struct logger *logger)
{
    char why[OWNED_FILE_WHY_BYTES];
    if (place->name[0] == '\0' || owned_file_folder(place->folder, why)) {
        return;
    }
    if (owned_file_write(place->folder, place->name, texts->bytes, texts->used, why)) {
        logger_printf(logger, LOG_LEVEL_WARNING,
                      "the last known good configuration will not outlive the parent: %s/%s",
                      place->folder, why);
    }
}
