#include "board_word.h"

#include <linux/watchdog.h>
#include <sys/stat.h>

#include "watchdog_sysfs.h"

/* The watchdog core has room for so many (watchdog_core.h, MAX_DOGS). */
enum { WATCHDOGS_MAX = 32 };

/* Everything a bootstatus can blame that is not the watchdog. */
#define NOT_THE_WATCHDOG                                                                           \
    (WDIOF_OVERHEAT | WDIOF_FANFAULT | WDIOF_EXTERN1 | WDIOF_EXTERN2 | WDIOF_POWERUNDER |          \
     WDIOF_POWEROVER)

/* Of one watchdog. `options` is an attribute since Linux 6.4; without it nobody knows whether a 0
 * is an answer. */
static enum board_word word_of(const char *folder)
{
    uint32_t status = 0, options = 0;
    bool has_status = watchdog_sysfs_number(folder, "bootstatus", &status);
    bool has_options = watchdog_sysfs_number(folder, "options", &options);

    if (has_status && (status & WDIOF_CARDRESET) != 0) {
        return BOARD_WATCHDOG;
    }
    if (has_status && (status & NOT_THE_WATCHDOG) != 0) {
        return BOARD_POWER;
    }
    if (has_options && (options & WDIOF_ALARMONLY) != 0) {
        return BOARD_SILENT; /* it cannot reset anything */
    }
    return has_status && has_options && (options & WDIOF_CARDRESET) != 0 ? BOARD_POWER : BOARD_MUTE;
}

/* One that blames itself is believed before all others; then one that blames the power. After that
 * a mute one may have been it, whatever others say of themselves. */
static enum board_word judge(const unsigned count[], bool any_blamed_power)
{
    if (count[BOARD_WATCHDOG] > 0) {
        return BOARD_WATCHDOG;
    }
    if (any_blamed_power) {
        return BOARD_POWER;
    }
    if (count[BOARD_MUTE] > 0) {
        return BOARD_MUTE;
    }
    return count[BOARD_POWER] > 0 ? BOARD_POWER : BOARD_SILENT;
}

enum board_word board_word_in(const char *sysfs, const char *device)
{
    unsigned count[] = {
        [BOARD_SILENT] = 0, [BOARD_MUTE] = 0, [BOARD_WATCHDOG] = 0, [BOARD_POWER] = 0};
    bool any = false, any_blamed_power = false;

    for (unsigned i = 0; i < WATCHDOGS_MAX; i++) {
        char folder[WATCHDOG_FOLDER_BYTES];
        uint32_t status = 0;

        if (watchdog_sysfs_at(sysfs, i, folder)) {
            any = true;
            count[word_of(folder)]++;
            any_blamed_power =
                any_blamed_power || (watchdog_sysfs_number(folder, "bootstatus", &status) &&
                                     (status & NOT_THE_WATCHDOG) != 0);
        }
    }
    if (!any) {
        struct stat found;

        return stat(device, &found) == 0 && S_ISCHR(found.st_mode) ? BOARD_MUTE : BOARD_SILENT;
    }
    return judge(count, any_blamed_power);
}

enum board_word board_word(void)
{
    return board_word_in(WATCHDOG_SYSFS_ROOT, "/dev/watchdog");
}
