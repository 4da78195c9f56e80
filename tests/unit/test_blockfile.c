/* Guards against a second agent on the same file, against writing where a link or a mistake leads,
 * against a crash that leaves no store or half of one, and against a limit or a signal that kills.
 * What needs a mount is in test_blockfile_mounts.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "blockfile_rig.h"

enum { NOBODY = 65534 };

/* The first byte of a file, -1 when there is none. */
static int peek(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t byte;
    int first = fd >= 0 && read(fd, &byte, 1) == 1 ? byte : -1;

    if (fd >= 0) {
        (void)close(fd);
    }
    return first;
}

static void blockfile_keeps_what_was_written(void **state)
{
    const char *path = rig_path("store.pk");
    struct blockfile *file = rig_open_port(path);
    struct block_reply reply;
    struct stat status;

    (void)state;
    assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_MISSING);
    assert_int_equal(rig_create(file, 8), BLOCK_OK);
    assert_int_equal(rig_publish(file, false), BLOCK_OK);
    assert_int_equal(rig_read(file, 0, 8), 0);
    assert_int_equal(rig_write(file, 2, 3, 'a'), BLOCK_OK);
    assert_int_equal(rig_write(file, 7, 1, 'b'), BLOCK_OK);
    assert_int_equal(rig_do(file, BLOCK_SYNC), BLOCK_OK);
    rig_free(file);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 8 * BLOCK_BYTES);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_true(status.st_blocks * 512 >= 8 * BLOCK_BYTES);

    file = rig_open_port(path);
    reply = rig_run(file, (struct block_request){.op = BLOCK_OPEN});
    assert_int_equal(reply.error, BLOCK_OK);
    assert_int_equal(reply.block_count, 8);
    assert_int_equal(rig_read(file, 0, 2), 0);
    assert_int_equal(rig_read(file, 2, 3), 'a');
    assert_int_equal(rig_read(file, 5, 2), 0);
    assert_int_equal(rig_read(file, 7, 1), 'b');
    assert_int_equal(rig_read(file, 6, 2), -1);
    rig_free(file);
    assert_false(rig_is_there(rig_path("store.pk.new")));
}

static void blockfile_counts_whole_blocks_only(void **state)
{
    static const struct {
        size_t size;
        uint32_t count;
    } rows[] = {{0, 0}, {1, 0}, {4095, 0}, {4096, 1}, {8191, 1}, {8192 + 100, 2}};
    struct blockfile *file = rig_open_port(rig_path("store.pk"));

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct block_reply reply;

        rig_write_file(rig_path("store.pk"), rows[i].size);
        reply = rig_run(file, (struct block_request){.op = BLOCK_OPEN});
        assert_int_equal(reply.error, BLOCK_OK);
        assert_int_equal(reply.block_count, rows[i].count);
    }
    rig_free(file);
}

static void blockfile_runs_one_operation_at_a_time(void **state)
{
    struct blockfile *file = rig_store(rig_path("store.pk"), 2, 'a');
    struct blockdev port = blockfile_port(file);
    const struct block_request sync = {.op = BLOCK_SYNC};
    const struct block_request write = {.op = BLOCK_WRITE, .count = 1, .bytes = rig_bytes};
    struct block_reply reply;

    (void)state;
    assert_false(port.collect(port.context, &reply));
    rig_submit(file, &sync);
    memset(rig_bytes, 'z', BLOCK_BYTES);
    assert_false(port.submit(port.context, &write));
    assert_true(rig_ends_within(file, RIG_DEADLINE_MS));
    assert_false(port.submit(port.context, &write)); /* Ended, not collected. */
    assert_int_equal(rig_collect(file).error, BLOCK_OK);
    assert_int_equal(rig_read(file, 0, 2), 'a');
    rig_free(file);
}

static void blockfile_frees_with_an_end_nobody_collected(void **state)
{
    struct blockfile *file = rig_store(rig_path("store.pk"), 2, 'a');

    (void)state;
    rig_submit(file, &(struct block_request){.op = BLOCK_SYNC});
    assert_true(rig_ends_within(file, RIG_DEADLINE_MS));
    assert_true(blockfile_free(file, 0));
    for (int i = 0; i < 100; i++) { /* An idle thread needs no patience. */
        file = rig_open_port(rig_path("store.pk"));
        assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_OK);
        assert_true(blockfile_free(file, 0));
    }
}

static void blockfile_reads_the_old_and_writes_the_new_until_published(void **state)
{
    struct blockfile *file = rig_store(rig_path("store.pk"), 2, 'a');

    (void)state;
    assert_int_equal(rig_create(file, 5), BLOCK_OK);
    assert_int_equal(rig_read(file, 0, 2), 'a');
    assert_int_equal(rig_write(file, 0, 5, 'b'), BLOCK_OK); /* Longer than the old one. */
    assert_int_equal(rig_do(file, BLOCK_SYNC), BLOCK_OK);
    assert_int_equal(rig_read(file, 0, 2), 'a');
    assert_int_equal(peek(rig_path("store.pk")), 'a');
    assert_int_equal(rig_publish(file, false), BLOCK_OK);
    assert_int_equal(rig_read(file, 0, 5), 'b');
    assert_int_equal(rig_write(file, 4, 1, 'c'), BLOCK_OK);
    assert_int_equal(rig_read(file, 4, 1), 'c');
    assert_int_equal(peek(rig_path("store.pk")), 'b');
    assert_false(rig_is_there(rig_path("store.pk.bad")));
    rig_free(file);
}

/* OPEN, another CREATE and the end of the agent all let an unpublished file go. */
static void blockfile_drops_a_file_that_is_not_published(void **state)
{
    struct blockfile *file = rig_store(rig_path("store.pk"), 2, 'a');

    (void)state;
    assert_int_equal(rig_create(file, 5), BLOCK_OK);
    assert_int_equal(rig_write(file, 0, 5, 'b'), BLOCK_OK);
    assert_int_equal(rig_create(file, 3), BLOCK_OK);
    assert_int_equal(peek(rig_path("store.pk.new")), 0);
    assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_OK);
    assert_false(rig_is_there(rig_path("store.pk.new")));
    assert_int_equal(rig_write(file, 0, 1, 'c'), BLOCK_OK);
    assert_int_equal(rig_read(file, 0, 1), 'c');
    assert_int_equal(rig_create(file, 3), BLOCK_OK);
    rig_free(file);
    assert_false(rig_is_there(rig_path("store.pk.new")));
    assert_int_equal(peek(rig_path("store.pk")), 'c');
}

/* Makes a child that goes on until it is killed; returns when it says it is ready. */
static pid_t start_child(void (*play)(void))
{
    int ends[2];
    char byte = 0;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* A test that fails leaves nobody behind. */
        play();
        (void)!write(ends[1], "!", 1);
        for (;;) {
            (void)pause();
        }
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1); /* Ends without a byte when the child dies. */
    (void)close(ends[0]);
    return child;
}

static void end_child(pid_t child)
{
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(rig_end_of(child), 1000 + SIGKILL);
}

static void play_owner(void)
{
    struct blockfile *file = rig_open_port(rig_path("store.pk"));

    if (rig_do(file, BLOCK_OPEN) != BLOCK_OK) {
        _exit(1);
    }
}

static void play_importer(void)
{
    struct blockfile *file = rig_open_port(rig_path("store.pk"));

    (void)rig_do(file, BLOCK_OPEN);
    if (rig_create(file, 3) != BLOCK_OK || rig_write(file, 0, 3, 'n') != BLOCK_OK ||
        rig_do(file, BLOCK_SYNC) != BLOCK_OK) {
        _exit(1);
    }
}

static void blockfile_has_one_owner_in_a_process(void **state)
{
    struct blockfile *owner = rig_store(rig_path("store.pk"), 2, 'a');
    struct blockfile *other = rig_open_port(rig_path("store.pk"));

    (void)state;
    assert_int_equal(rig_do(other, BLOCK_OPEN), BLOCK_IN_USE);
    assert_int_equal(rig_do(owner, BLOCK_OPEN), BLOCK_OK); /* It is no stranger to itself. */
    assert_int_equal(rig_do(other, BLOCK_OPEN), BLOCK_IN_USE);
    assert_int_equal(rig_create(other, 2), BLOCK_IN_USE);
    assert_int_equal(peek(rig_path("store.pk")), 'a');
    assert_int_equal(rig_publish(other, false), BLOCK_MISSING);
    assert_false(rig_is_there(rig_path("store.pk.new")));
    rig_free(owner);
    assert_int_equal(rig_do(other, BLOCK_OPEN), BLOCK_OK);
    rig_free(other);
}

static void blockfile_is_free_at_once_after_its_owner_was_killed(void **state)
{
    struct blockfile *file = rig_store(rig_path("store.pk"), 2, 'a');

    (void)state;
    rig_free(file);
    file = rig_open_port(rig_path("store.pk"));
    for (int i = 0; i < 20; i++) {
        pid_t child;

        rig_free(file);
        child = start_child(play_owner);
        file = rig_open_port(rig_path("store.pk"));
        assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_IN_USE);
        end_child(child);
        assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_OK);
        assert_int_equal(rig_read(file, 0, 2), 'a');
    }
    rig_free(file);
}

static void blockfile_keeps_the_old_after_a_crash_before_publish(void **state)
{
    struct blockfile *file = rig_store(rig_path("store.pk"), 2, 'a');
    pid_t child;

    (void)state;
    rig_free(file);
    child = start_child(play_importer);
    end_child(child);
    assert_int_equal(peek(rig_path("store.pk.new")), 'n');
    file = rig_open_port(rig_path("store.pk"));
    assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_OK);
    assert_int_equal(rig_read(file, 0, 2), 'a');
    assert_int_equal(rig_create(file, 2), BLOCK_OK); /* What the crash left is in nobody's way. */
    assert_int_equal(rig_publish(file, false), BLOCK_OK);
    assert_int_equal(rig_read(file, 0, 2), 0);
    assert_false(rig_is_there(rig_path("store.pk.new")));
    rig_free(file);
}

/* Both found nothing; the slower one must not publish over the faster one. */
static void blockfile_gives_the_place_to_one_of_two_that_start_at_once(void **state)
{
    struct blockfile *file = rig_open_port(rig_path("store.pk"));
    struct blockfile *other = rig_open_port(rig_path("store.pk"));

    (void)state;
    assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_MISSING);
    assert_int_equal(rig_do(other, BLOCK_OPEN), BLOCK_MISSING);
    assert_int_equal(rig_create(file, 2), BLOCK_OK);
    assert_int_equal(rig_write(file, 0, 2, 'a'), BLOCK_OK);
    assert_int_equal(rig_create(other, 2), BLOCK_IN_USE); /* The new file has an owner. */
    assert_int_equal(rig_publish(file, false), BLOCK_OK);
    assert_int_equal(rig_create(other, 2), BLOCK_IN_USE); /* So has the published one. */
    assert_int_equal(rig_read(file, 0, 2), 'a');
    assert_int_equal(peek(rig_path("store.pk")), 'a');
    rig_free(other);
    rig_free(file);
}

/* Without an OPEN, or after one that failed for a while, what is there becomes ours first. */
static void blockfile_takes_what_is_there_before_it_makes_a_new_one(void **state)
{
    struct blockfile *file = rig_store(rig_path("store.pk"), 2, 'a');
    struct blockfile *other;

    (void)state;
    rig_free(file);
    file = rig_open_port(rig_path("store.pk"));
    assert_int_equal(rig_create(file, 2), BLOCK_OK);
    other = rig_open_port(rig_path("store.pk"));
    assert_int_equal(rig_do(other, BLOCK_OPEN), BLOCK_IN_USE);
    assert_int_equal(rig_read(file, 0, 2), 'a');
    rig_free(other);
    rig_free(file);
}

static void blockfile_replaces_no_file_that_took_its_place(void **state)
{
    struct blockfile *file = rig_store(rig_path("store.pk"), 2, 'a');

    (void)state;
    rig_write_file(rig_path("foreign"), 100);
    assert_int_equal(rename(rig_path("foreign"), rig_path("store.pk")), 0);
    assert_int_equal(rig_create(file, 2), BLOCK_DENIED);
    assert_int_equal(rig_read(file, 0, 2), 'a');
    assert_false(rig_is_there(rig_path("store.pk.new")));
    assert_int_equal(unlink(rig_path("store.pk")), 0);
    assert_int_equal(rig_create(file, 2), BLOCK_OK); /* An empty place may be taken. */
    assert_int_equal(rig_publish(file, false), BLOCK_OK);
    rig_free(file);
}

enum obstacle {
    OBSTACLE_LINK,
    OBSTACLE_DANGLING_LINK,
    OBSTACLE_FOLDER,
    OBSTACLE_FIFO,
    OBSTACLE_SECOND_NAME,
    OBSTACLE_SOCKET,
    OBSTACLE_DEVICE,
    OBSTACLE_FOREIGN_OWNER,
    OBSTACLE_COUNT
};

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    (void)close(fd);
}

/* False: only root can make this one. */
static bool make_obstacle(enum obstacle obstacle, const char *path)
{
    const char *victim = rig_path("victim");

    rig_write_file(victim, 2 * BLOCK_BYTES);
    switch (obstacle) {
    case OBSTACLE_LINK:
        assert_int_equal(symlink(victim, path), 0);
        break;
    case OBSTACLE_DANGLING_LINK:
        assert_int_equal(symlink(rig_path("nowhere"), path), 0);
        break;
    case OBSTACLE_FOLDER:
        assert_int_equal(mkdir(path, 0755), 0);
        break;
    case OBSTACLE_FIFO:
        assert_int_equal(mkfifo(path, 0600), 0);
        break;
    case OBSTACLE_SECOND_NAME:
        assert_int_equal(link(victim, path), 0);
        break;
    case OBSTACLE_SOCKET:
        make_socket(path);
        break;
    case OBSTACLE_DEVICE:
        return mknod(path, S_IFCHR | 0600, 0x103 /* /dev/null */) == 0;
    case OBSTACLE_FOREIGN_OWNER:
        rig_write_file(path, 2 * BLOCK_BYTES);
        return chown(path, NOBODY, NOBODY) == 0;
    case OBSTACLE_COUNT:
        break;
    }
    return true;
}

static void blockfile_touches_only_a_plain_file_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OBSTACLE_COUNT; i++) {
        const char *path = rig_path("store.pk");
        struct blockfile *file = rig_open_port(path);
        struct stat before, after;

        assert_int_equal(rig_setup(NULL), 0);
        if (make_obstacle(i, path)) {
            assert_int_equal(lstat(path, &before), 0);
            assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_DENIED);
            assert_int_equal(rig_create(file, 2), BLOCK_DENIED);
            assert_false(rig_is_there(rig_path("store.pk.new")));
            assert_false(rig_is_there(rig_path("nowhere")));
            assert_int_equal(lstat(path, &after), 0);
            assert_int_equal(before.st_ino, after.st_ino);
            assert_int_equal(before.st_mode, after.st_mode);
            assert_int_equal(before.st_size, after.st_size);
        }
        rig_free(file);
    }
}

static void blockfile_removes_only_a_plain_file_of_its_own(void **state)
{
    struct blockfile *file;

    (void)state;
    for (unsigned i = 0; i < OBSTACLE_COUNT; i++) {
        const char *path = rig_path("store.pk.new");

        assert_int_equal(rig_setup(NULL), 0);
        file = rig_store(rig_path("store.pk"), 2, 'a');
        if (make_obstacle(i, path)) {
            assert_int_equal(rig_create(file, 2), BLOCK_DENIED);
            assert_true(rig_is_there(path));
            assert_int_equal(rig_read(file, 0, 2), 'a');
            assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_OK);
            assert_true(rig_is_there(path));
        }
        rig_free(file);
    }
}

static void blockfile_tells_a_missing_file_from_a_missing_folder(void **state)
{
    static const struct {
        const char *name;
        enum block_error open, create;
    } rows[] = {
        {"store.pk", BLOCK_MISSING, BLOCK_OK},
        {"made/store.pk", BLOCK_MISSING, BLOCK_OK},
        {"one//store.pk", BLOCK_MISSING, BLOCK_OK},
        {"none/two/store.pk", BLOCK_MISSING, BLOCK_DENIED},
        {"plain/store.pk", BLOCK_MISSING, BLOCK_DENIED},
        {"plain/two/store.pk", BLOCK_MISSING, BLOCK_DENIED},
        {"loop/store.pk", BLOCK_DENIED, BLOCK_DENIED},
    };
    struct stat status;

    (void)state;
    rig_write_file(rig_path("plain"), 0);
    assert_int_equal(symlink("loop", rig_path("loop")), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct blockfile *file = rig_open_port(rig_path(rows[i].name));

        assert_int_equal(rig_do(file, BLOCK_OPEN), rows[i].open);
        assert_int_equal(rig_create(file, 2), rows[i].create);
        assert_int_equal(rig_publish(file, false),
                         rows[i].create == BLOCK_OK ? BLOCK_OK : BLOCK_MISSING);
        rig_free(file);
    }
    assert_int_equal(stat(rig_path("made"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);
    assert_false(rig_is_there(rig_path("none")));
}

static void blockfile_takes_a_path_without_a_folder(void **state)
{
    int here = open(".", O_RDONLY | O_CLOEXEC);
    struct blockfile *file;

    (void)state;
    assert_true(here >= 0);
    assert_int_equal(chdir(rig_folder), 0);
    file = rig_store("store.pk", 2, 'a');
    rig_free(file);
    file = rig_store("sub/store.pk", 2, 'b');
    rig_free(file);
    assert_int_equal(fchdir(here), 0);
    (void)close(here);
    assert_int_equal(peek(rig_path("store.pk")), 'a');
    assert_int_equal(peek(rig_path("sub/store.pk")), 'b');
}

static void blockfile_refuses_a_path_no_file_can_have(void **state)
{
    static char path[2 * PATH_MAX];
    struct blockfile *file;

    (void)state;
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    file = rig_open_port(path);
    assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_IO);
    assert_int_equal(rig_create(file, 2), BLOCK_IO);
    rig_free(file);
}

static void blockfile_says_when_nothing_is_open(void **state)
{
    struct blockfile *file = rig_open_port(rig_path("store.pk"));

    (void)state;
    assert_int_equal(rig_read(file, 0, 1), -2);
    assert_int_equal(rig_write(file, 0, 1, 'a'), BLOCK_MISSING);
    assert_int_equal(rig_do(file, BLOCK_SYNC), BLOCK_MISSING);
    assert_int_equal(rig_publish(file, true), BLOCK_MISSING);
    rig_free(file);
}

static void blockfile_keeps_one_file_that_was_set_aside(void **state)
{
    struct blockfile *file = rig_open_port(rig_path("store.pk"));

    (void)state;
    assert_int_equal(rig_create(file, 2), BLOCK_OK);
    assert_int_equal(rig_publish(file, true), BLOCK_OK); /* There is nothing to set aside. */
    assert_false(rig_is_there(rig_path("store.pk.bad")));
    for (int fill = 'a'; fill < 'd'; fill++) {
        assert_int_equal(rig_write(file, 0, 2, fill), BLOCK_OK);
        assert_int_equal(rig_create(file, 2), BLOCK_OK);
        assert_int_equal(rig_publish(file, true), BLOCK_OK);
        assert_int_equal(peek(rig_path("store.pk.bad")), fill);
        assert_int_equal(rig_read(file, 0, 2), 0);
        assert_int_equal(peek(rig_path("store.pk")), 0);
    }
    assert_int_equal(rig_create(file, 2), BLOCK_OK);
    assert_int_equal(rig_publish(file, false), BLOCK_OK);
    assert_int_equal(peek(rig_path("store.pk.bad")), 'c');
    rig_free(file);
}

static void blockfile_lets_all_go_when_publish_fails(void **state)
{
    struct blockfile *file = rig_store(rig_path("store.pk"), 2, 'a');

    (void)state;
    assert_int_equal(mkdir(rig_path("store.pk.bad"), 0755), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rig_create(file, 2), BLOCK_OK);
        if (i == 1) { /* The new file is lost; the old one, set aside already, comes back. */
            assert_int_equal(rmdir(rig_path("store.pk.bad")), 0);
            assert_int_equal(unlink(rig_path("store.pk.new")), 0);
        }
        assert_int_equal(rig_publish(file, true), BLOCK_DENIED);
        assert_false(rig_is_there(rig_path("store.pk.new")));
        assert_int_equal(rig_read(file, 0, 1), -2);
        assert_int_equal(rig_do(file, BLOCK_SYNC), BLOCK_MISSING);
        assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_OK);
        assert_int_equal(rig_read(file, 0, 2), 'a');
    }
    assert_false(rig_is_there(rig_path("store.pk.bad")));
    rig_free(file);
}

static void blockfile_reports_a_file_that_became_shorter(void **state)
{
    struct blockfile *file = rig_store(rig_path("store.pk"), 4, 'a');

    (void)state;
    assert_int_equal(truncate(rig_path("store.pk"), 2 * BLOCK_BYTES + 17), 0);
    assert_int_equal(rig_read(file, 0, 2), 'a');
    assert_int_equal(rig_read(file, 2, 1), -2);
    assert_int_equal(rig_read(file, 0, 4), -2);
    rig_free(file);
}

/* Runs in a child: the soft limit is for all threads, and SIGXFSZ would end the process. */
static int overrun_limit(void)
{
    struct rlimit limit = {.rlim_cur = 3 * BLOCK_BYTES + 100, .rlim_max = RLIM_INFINITY};
    struct blockfile *file = rig_open_port(rig_path("store.pk"));

    if (rig_do(file, BLOCK_OPEN) != BLOCK_OK || setrlimit(RLIMIT_FSIZE, &limit) != 0) {
        return 1;
    }
    if (rig_write(file, 0, 3, 'b') != BLOCK_OK || rig_write(file, 4, 1, 'b') != BLOCK_NO_SPACE ||
        rig_write(file, 2, 2, 'b') != BLOCK_NO_SPACE) {
        return 2;
    }
    if (rig_create(file, 5) != BLOCK_NO_SPACE || rig_is_there(rig_path("store.pk.new"))) {
        return 3;
    }
    if (rig_read(file, 0, 3) != 'b' || rig_create(file, 3) != BLOCK_OK) {
        return 4;
    }
    return blockfile_free(file, RIG_PATIENCE_US) ? 0 : 5;
}

static int act_as_nobody(void)
{
    struct blockfile *file = rig_open_port(rig_path("store.pk"));
    struct blockfile *closed = rig_open_port(rig_path("closed/store.pk"));

    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0) {
        return 1;
    }
    if (rig_do(file, BLOCK_OPEN) != BLOCK_DENIED || rig_create(file, 2) != BLOCK_DENIED) {
        return 2;
    }
    if (rig_do(closed, BLOCK_OPEN) != BLOCK_DENIED || rig_create(closed, 2) != BLOCK_DENIED) {
        return 3;
    }
    return blockfile_free(file, RIG_PATIENCE_US) && blockfile_free(closed, RIG_PATIENCE_US) ? 0 : 4;
}

static int run_child(int (*act)(void))
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        _exit(act());
    }
    return rig_end_of(child);
}

static void blockfile_survives_a_limit_on_the_size_of_files(void **state)
{
    (void)state;
    rig_free(rig_store(rig_path("store.pk"), 5, 'a'));
    assert_int_equal(run_child(overrun_limit), 0);
    assert_int_equal(peek(rig_path("store.pk")), 'b');
}

static void blockfile_is_denied_where_it_has_no_rights(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can become another user\n");
        skip();
    }
    rig_free(rig_store(rig_path("store.pk"), 2, 'a'));
    assert_int_equal(mkdir(rig_path("closed"), 0700), 0);
    assert_int_equal(chmod(rig_folder, 0755), 0);
    assert_int_equal(run_child(act_as_nobody), 0);
    assert_int_equal(peek(rig_path("store.pk")), 'a');
}

static struct block_request wrong_request;

static int ask_wrongly(void)
{
    struct blockfile *file = rig_open_port(rig_path("store.pk"));
    const struct rlimit no_core = {.rlim_cur = 0, .rlim_max = 0};

    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)signal(SIGABRT, SIG_DFL);
    (void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    (void)rig_do(file, BLOCK_OPEN);
    rig_submit(file, &wrong_request);
    return 0;
}

static void blockfile_asserts_that_requests_stay_inside(void **state)
{
    static const struct {
        enum block_op op;
        uint32_t first, count;
        int end;
    } rows[] = {
        {BLOCK_READ, 0, 4, 0},
        {BLOCK_WRITE, 3, 1, 0},
        {BLOCK_READ, 3, 2, 1000 + SIGABRT},
        {BLOCK_WRITE, 4, 1, 1000 + SIGABRT},
        {BLOCK_WRITE, 5, 0, 1000 + SIGABRT},
        {BLOCK_WRITE, 0, 5, 1000 + SIGABRT},
        {BLOCK_WRITE, UINT32_MAX, 2, 1000 + SIGABRT},
        {BLOCK_WRITE, 1, UINT32_MAX, 1000 + SIGABRT},
        {BLOCK_CREATE, 0, 0, 1000 + SIGABRT},
    };

    (void)state;
    rig_free(rig_store(rig_path("store.pk"), 4, 'a'));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        wrong_request = (struct block_request){
            .op = rows[i].op, .first = rows[i].first, .count = rows[i].count, .bytes = rig_bytes};
        assert_int_equal(run_child(ask_wrongly), rows[i].end);
    }
}

/* Reads a line of /proc/self/task/ID/status of the one thread that is not this one. */
static uint64_t signals_blocked_in_the_other_thread(void)
{
    DIR *tasks = opendir("/proc/self/task");
    uint64_t blocked = 0;
    struct dirent *entry;

    assert_non_null(tasks);
    while ((entry = readdir(tasks)) != NULL) {
        char path[300], line[256];
        FILE *status;

        if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == getpid()) {
            continue;
        }
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        status = fopen(path, "re");
        while (status != NULL && fgets(line, sizeof line, status) != NULL) {
            if (strncmp(line, "SigBlk:", 7) == 0) {
                blocked = strtoull(line + 7, NULL, 16);
            }
        }
        if (status != NULL) {
            (void)fclose(status);
        }
    }
    (void)closedir(tasks);
    return blocked;
}

static void blockfile_leaves_every_signal_to_the_loop(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT,  SIGHUP,  SIGABRT, SIGXFSZ,
                                  SIGALRM, SIGCHLD, SIGPIPE, SIGUSR1, SIGUSR2};
    struct blockfile *file = rig_open_port(rig_path("store.pk"));
    uint64_t blocked;
    sigset_t mine;

    (void)state;
    assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_MISSING);
    blocked = signals_blocked_in_the_other_thread();
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        assert_true((blocked >> (signals[i] - 1) & 1) == 1);
    }
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &mine), 0);
    assert_int_equal(sigismember(&mine, SIGUSR1), 0);
    rig_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(blockfile_keeps_what_was_written, rig_setup),
        cmocka_unit_test_setup(blockfile_counts_whole_blocks_only, rig_setup),
        cmocka_unit_test_setup(blockfile_runs_one_operation_at_a_time, rig_setup),
        cmocka_unit_test_setup(blockfile_frees_with_an_end_nobody_collected, rig_setup),
        cmocka_unit_test_setup(blockfile_reads_the_old_and_writes_the_new_until_published,
                               rig_setup),
        cmocka_unit_test_setup(blockfile_drops_a_file_that_is_not_published, rig_setup),
        cmocka_unit_test_setup(blockfile_has_one_owner_in_a_process, rig_setup),
        cmocka_unit_test_setup(blockfile_is_free_at_once_after_its_owner_was_killed, rig_setup),
        cmocka_unit_test_setup(blockfile_keeps_the_old_after_a_crash_before_publish, rig_setup),
        cmocka_unit_test_setup(blockfile_gives_the_place_to_one_of_two_that_start_at_once,
                               rig_setup),
        cmocka_unit_test_setup(blockfile_takes_what_is_there_before_it_makes_a_new_one, rig_setup),
        cmocka_unit_test_setup(blockfile_replaces_no_file_that_took_its_place, rig_setup),
        cmocka_unit_test_setup(blockfile_touches_only_a_plain_file_of_its_own, rig_setup),
        cmocka_unit_test_setup(blockfile_removes_only_a_plain_file_of_its_own, rig_setup),
        cmocka_unit_test_setup(blockfile_tells_a_missing_file_from_a_missing_folder, rig_setup),
        cmocka_unit_test_setup(blockfile_takes_a_path_without_a_folder, rig_setup),
        cmocka_unit_test_setup(blockfile_refuses_a_path_no_file_can_have, rig_setup),
        cmocka_unit_test_setup(blockfile_says_when_nothing_is_open, rig_setup),
        cmocka_unit_test_setup(blockfile_keeps_one_file_that_was_set_aside, rig_setup),
        cmocka_unit_test_setup(blockfile_lets_all_go_when_publish_fails, rig_setup),
        cmocka_unit_test_setup(blockfile_reports_a_file_that_became_shorter, rig_setup),
        cmocka_unit_test_setup(blockfile_survives_a_limit_on_the_size_of_files, rig_setup),
        cmocka_unit_test_setup(blockfile_is_denied_where_it_has_no_rights, rig_setup),
        cmocka_unit_test_setup(blockfile_asserts_that_requests_stay_inside, rig_setup),
        cmocka_unit_test_setup(blockfile_leaves_every_signal_to_the_loop, rig_setup),
    };
    return cmocka_run_group_tests(tests, rig_make_folder, rig_remove_folder);
}
