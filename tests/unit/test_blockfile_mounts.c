/* Guards against a medium that hangs, dies, is full or read-only and takes the agent along, against
 * memory that poses as a disk, and against a SYNC or PUBLISH that promises what is not on the
 * medium. The file systems are real ones, in a mount namespace of this program; where mounting is
 * not allowed every test is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <time.h>

#include "blockfile_rig.h"
#include "ioctl_request.h"

enum { IMAGE_BYTES = 16 * 1024 * 1024 };
/* ext4's own: makes the file system fail all I/O from now on, as an error of the medium does. */
#define EXT4_IOC_SHUTDOWN_    _IOR('X', 125, uint32_t)
#define EXT4_SHUTDOWN_NO_LOG_ UINT32_C(2)
#define HANG_MS               300
#define ALL_MOUNTS                                                                                 \
    {                                                                                              \
        "ov", "m", "n"                                                                             \
    } /* those that stand on others first */

static bool may_mount;

static int enter_namespace(void **state)
{
    may_mount = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
                mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    return rig_make_folder(state);
}

static int unmount_all(void **state)
{
    static const char *const names[] = ALL_MOUNTS;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        while (umount2(rig_path(names[i]), MNT_DETACH) == 0) {
        }
    }
    return rig_setup(state);
}

static void need_mounts(void)
{
    if (!may_mount) {
        print_message("mounting is not allowed here\n");
        skip();
    }
}

static int control(int fd, unsigned long request, void *argument)
{
    return ioctl(fd, (ioctl_request)request, argument);
}

/* True when the program ran and was content. */
static bool run_program(const char *const argv[])
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return rig_end_of(child) == 0;
}

/* qemu-user does not pass the freezing of a file system on to the kernel. */
static void need_freezing(void)
{
    need_mounts();
    if (getenv("PICKET_EMULATED") != NULL) {
        print_message("no file system can be frozen under emulation\n");
        skip();
    }
}

static const char *make_mount_point(const char *name)
{
    const char *folder = rig_path(name);

    assert_int_equal(mkdir(folder, 0755), 0);
    return folder;
}

static void mount_tmpfs(const char *name, const char *options)
{
    if (mount("tmpfs", make_mount_point(name), "tmpfs", 0, options) != 0) {
        print_message("no tmpfs can be mounted here\n");
        skip();
    }
}

static void mount_image(const char *image, const char *name)
{
    const char *const mounting[] = {"mount", "-o", "loop", image, make_mount_point(name), NULL};

    if (!run_program(mounting)) {
        print_message("no image can be mounted here\n");
        skip();
    }
}

/* A new file system of a kind, mounted from an image. */
static void mount_new(const char *kind, const char *name)
{
    const char *image = rig_path("image");
    const char *const making[] = {
        "mke2fs", "-q", "-F",  "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0",
        "-t",     kind, image, NULL};

    rig_write_file(image, IMAGE_BYTES);
    if (!run_program(making)) {
        print_message("no %s can be made here\n", kind);
        skip();
    }
    mount_image(image, name);
}

static bool volatile_after(struct blockfile *file, struct block_request request)
{
    struct block_reply reply = rig_run(file, request);

    assert_int_equal(reply.error, BLOCK_OK);
    return reply.is_volatile;
}

/* Both replies must say the same. */
static bool is_volatile_at(const char *path)
{
    struct blockfile *file = rig_open_port(path);
    bool published, opened;

    assert_int_equal(rig_create(file, 2), BLOCK_OK);
    published = volatile_after(file, (struct block_request){.op = BLOCK_PUBLISH});
    opened = volatile_after(file, (struct block_request){.op = BLOCK_OPEN});
    assert_int_equal(published, opened);
    rig_free(file);
    return opened;
}

static void blockfile_knows_memory_from_a_disk(void **state)
{
    (void)state;
    need_mounts();
    mount_tmpfs("m", NULL);
    assert_true(is_volatile_at(rig_path("m/store.pk")));
    mount_new("ext4", "n");
    assert_false(is_volatile_at(rig_path("n/store.pk")));
}

/* Mounts an overlay whose upper layer is the folder `upper`, with its work folder beside. */
static void mount_overlay(const char *upper, const char *work)
{
    char options[PATH_MAX];

    assert_int_equal(mkdir(rig_path("lower"), 0755), 0);
    assert_int_equal(mkdir(rig_path(upper), 0755), 0);
    assert_int_equal(mkdir(rig_path(work), 0755), 0);
    (void)snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", rig_path("lower"),
                   rig_path(upper), rig_path(work));
    if (mount("overlay", make_mount_point("ov"), "overlay", 0, options) != 0) {
        print_message("no overlay can be mounted here\n");
        skip();
    }
}

static void blockfile_finds_memory_under_an_overlay(void **state)
{
    (void)state;
    need_mounts();
    mount_tmpfs("m", NULL);
    mount_overlay("m/an upper folder", "m/work");
    assert_true(is_volatile_at(rig_path("ov/store.pk")));
    assert_int_equal(umount2(rig_path("m"), MNT_DETACH), 0); /* Out of sight: nothing to tell. */
    assert_false(is_volatile_at(rig_path("ov/store.pk")));
}

static void blockfile_finds_a_disk_under_an_overlay(void **state)
{
    (void)state;
    need_mounts();
    mount_new("ext4", "m");
    mount_overlay("m/upper", "m/work");
    assert_false(is_volatile_at(rig_path("ov/store.pk")));
}

static void blockfile_keeps_the_old_when_the_disk_is_full(void **state)
{
    const uint32_t count = IMAGE_BYTES / BLOCK_BYTES;
    /* The second cannot reserve space, so it shows the lack when zeros are written. */
    static const char *const kinds[] = {"tmpfs", "ext2"};
    static const char *const notes[] = {"fallocate: No space left on device",
                                        "write: No space left on device"};

    (void)state;
    need_mounts();
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct blockfile *file;
        struct block_reply reply;

        assert_int_equal(unmount_all(NULL), 0);
        if (i == 0) {
            mount_tmpfs("m", "size=64k");
        } else {
            mount_new(kinds[i], "m");
        }
        file = rig_store(rig_path("m/store.pk"), 4, 'a');
        reply = rig_run(file, (struct block_request){.op = BLOCK_CREATE, .count = count});
        assert_int_equal(reply.error, BLOCK_NO_SPACE);
        assert_string_equal(reply.note, notes[i]);
        assert_false(rig_is_there(rig_path("m/store.pk.new")));
        assert_int_equal(rig_read(file, 0, 4), 'a');
        assert_int_equal(rig_write(file, 0, 1, 'b'), BLOCK_OK);
        assert_int_equal(rig_create(file, 5), BLOCK_OK);
        rig_free(file);
    }
}

/* One of several agents: opens the store or makes it anew, and while it owns it finds its own mark
 * in the file of that name. Returns what went wrong, 0 for nothing. */
static int compete(const char *path, uint8_t mark)
{
    struct blockfile *file = rig_open_port(path);

    for (int i = 0; i < 5000; i++) {
        enum block_error error = rig_do(file, BLOCK_OPEN);

        if (error == BLOCK_MISSING || (error == BLOCK_OK && i % 2 == 0)) {
            error = rig_create(file, 1);
            error = error == BLOCK_OK ? rig_publish(file, i % 4 == 0) : error;
        }
        if (error == BLOCK_IN_USE) {
            continue;
        }
        if (error != BLOCK_OK || rig_write(file, 0, 1, mark) != BLOCK_OK) {
            return 1;
        }
        for (int k = 0; k < 20; k++) {
            uint8_t found = 0;
            int fd = open(path, O_RDONLY | O_CLOEXEC);

            if (fd < 0 || read(fd, &found, 1) != 1 || found != mark) {
                return 2;
            }
            (void)close(fd);
        }
        if (i % 5 == 0) {
            (void)(i % 10 == 0 && unlink(path) == 0); /* For the case of nothing there. */
            rig_free(file);
            file = rig_open_port(path);
        }
    }
    rig_free(file);
    return 0;
}

/* A lock on a file that was replaced between its opening and its locking is worth nothing. */
static void blockfile_has_one_owner_however_often_it_is_replaced(void **state)
{
    enum { AGENTS = 3 };
    pid_t agents[AGENTS];

    (void)state;
    need_mounts();
    mount_tmpfs("m", NULL);
    for (uint8_t i = 0; i < AGENTS; i++) {
        agents[i] = fork();
        assert_true(agents[i] >= 0);
        if (agents[i] == 0) {
            _exit(compete(rig_path("m/store.pk"), (uint8_t)(i + 1)));
        }
    }
    for (size_t i = 0; i < AGENTS; i++) {
        assert_int_equal(rig_end_of(agents[i]), 0);
    }
}

/* A file that was not made by us can have holes. */
static void blockfile_reports_a_full_disk_when_a_hole_is_written(void **state)
{
    struct blockfile *file;

    (void)state;
    need_mounts();
    mount_tmpfs("m", "size=64k");
    rig_write_file(rig_path("m/store.pk"), RIG_BLOCKS_MAX * BLOCK_BYTES);
    file = rig_open_port(rig_path("m/store.pk"));
    assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_OK);
    assert_int_equal(rig_write(file, 0, RIG_BLOCKS_MAX, 'a'), BLOCK_NO_SPACE);
    rig_free(file);
}

static void blockfile_says_read_only(void **state)
{
    const char *folder;
    struct blockfile *file, *fresh;

    (void)state;
    need_mounts();
    folder = make_mount_point("m");
    rig_free(rig_store(rig_path("m/store.pk"), 2, 'a'));
    assert_int_equal(mount(folder, folder, NULL, MS_BIND, NULL), 0);
    assert_int_equal(mount(NULL, folder, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
    file = rig_open_port(rig_path("m/store.pk"));
    assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_READ_ONLY);
    assert_int_equal(rig_create(file, 2), BLOCK_READ_ONLY);
    fresh = rig_open_port(rig_path("m/sub/other.pk"));
    assert_int_equal(rig_do(fresh, BLOCK_OPEN), BLOCK_MISSING);
    assert_int_equal(umount2(folder, 0), 0);
    assert_int_equal(rig_do(file, BLOCK_OPEN), BLOCK_OK); /* Writable again: it goes on. */
    assert_int_equal(rig_write(file, 0, 2, 'b'), BLOCK_OK);
    rig_free(fresh);
    rig_free(file);
}

static void blockfile_reports_a_medium_that_dies(void **state)
{
    uint32_t how = EXT4_SHUTDOWN_NO_LOG_;
    struct blockfile *file;
    int folder;

    (void)state;
    need_mounts();
    mount_new("ext4", "m");
    file = rig_store(rig_path("m/store.pk"), 2, 'a');
    folder = open(rig_path("m"), O_RDONLY | O_CLOEXEC);
    if (control(folder, EXT4_IOC_SHUTDOWN_, &how) != 0) {
        print_message("this kernel cannot let a file system die\n");
        (void)close(folder);
        rig_free(file);
        skip();
    }
    (void)close(folder);
    assert_int_equal(rig_do(file, BLOCK_SYNC), BLOCK_IO);
    assert_int_equal(rig_write(file, 0, 1, 'b'), BLOCK_IO);
    assert_int_equal(rig_create(file, 2), BLOCK_IO);
    assert_int_equal(rig_publish(file, false), BLOCK_MISSING);
    rig_free(file);
}

/* Thaws in any case after a while: a frozen file system nobody thaws would outlive the test. Begun
 * before the store is opened, whose lock would live on in this child. */
static pid_t start_thawer(const char *folder, int *leash)
{
    int ends[2];
    pid_t child;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct pollfd told = {.fd = ends[0], .events = POLLIN};
        int fd = open(folder, O_RDONLY | O_CLOEXEC);

        (void)close(ends[1]);
        (void)poll(&told, 1, RIG_DEADLINE_MS / 2);
        (void)control(fd, FITHAW, NULL);
        _exit(0);
    }
    (void)close(ends[0]);
    *leash = ends[1];
    return child;
}

static void end_thawer(pid_t child, int leash)
{
    (void)close(leash);
    assert_int_equal(rig_end_of(child), 0);
}

/* Returns the mount's descriptor, for thawing. */
static int freeze(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(control(fd, FIFREEZE, NULL), 0);
    return fd;
}

static void thaw(int fd)
{
    assert_int_equal(control(fd, FITHAW, NULL), 0);
    (void)close(fd);
}

static void blockfile_waits_for_a_medium_that_hangs(void **state)
{
    const struct block_request write = {.op = BLOCK_WRITE, .count = 2, .bytes = rig_bytes};
    struct blockfile *file;
    struct blockdev port;
    struct block_reply reply;
    pid_t thawer;
    int leash, frozen;

    (void)state;
    need_freezing();
    mount_new("ext4", "m");
    thawer = start_thawer(rig_path("m"), &leash);
    file = rig_store(rig_path("m/store.pk"), 2, 'a');
    port = blockfile_port(file);
    frozen = freeze(rig_path("m"));
    memset(rig_bytes, 'b', 2 * BLOCK_BYTES);
    rig_submit(file, &write);
    assert_false(rig_ends_within(file, HANG_MS));
    assert_false(port.collect(port.context, &reply));
    assert_false(port.submit(port.context, &write));
    thaw(frozen);
    reply = rig_collect(file);
    assert_int_equal(reply.error, BLOCK_OK);
    /* It counts from when the thread took up the request, a moment after the submit. */
    assert_true(reply.duration_us >= HANG_MS / 2 * USEC_PER_MSEC);
    assert_int_equal(rig_read(file, 0, 2), 'b');
    assert_int_equal(rig_do(file, BLOCK_SYNC), BLOCK_OK);
    rig_free(file);
    end_thawer(thawer, leash);
}

static usec_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (usec_t)now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

/* The end of the program waits for as long as it said and no longer. The thread left behind still
 * owns the file, does what it was told when the medium is back, and only then lets go. */
static void blockfile_leaves_a_thread_that_hangs_behind(void **state)
{
    static struct blockfile *left; /* still known, so that it counts as no leak */
    static uint8_t bytes[BLOCK_BYTES];
    const usec_t patience_us = HANG_MS * USEC_PER_MSEC;
    struct blockfile *next;
    usec_t start_us, spent_us;
    pid_t thawer;
    int leash, frozen, fd;

    (void)state;
    need_freezing();
    mount_new("ext4", "m");
    thawer = start_thawer(rig_path("m"), &leash);
    left = rig_store(rig_path("m/store.pk"), 2, 'a');
    frozen = freeze(rig_path("m"));
    memset(bytes, 'b', sizeof bytes);
    rig_submit(left, &(struct block_request){.op = BLOCK_WRITE, .count = 1, .bytes = bytes});
    assert_false(rig_ends_within(left, HANG_MS));
    start_us = now_us();
    assert_false(blockfile_free(left, patience_us));
    spent_us = now_us() - start_us;
    assert_true(spent_us >= patience_us && spent_us < patience_us + 2 * USEC_PER_SEC);

    next = rig_open_port(rig_path("m/store.pk"));
    assert_int_equal(rig_do(next, BLOCK_OPEN), BLOCK_IN_USE);
    fd = open(rig_path("m/store.pk"), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    thaw(frozen);
    (void)alarm(RIG_DEADLINE_MS / 1000);
    assert_int_equal(flock(fd, LOCK_EX), 0); /* Comes with the thread's last act. */
    (void)alarm(0);
    (void)close(fd);
    assert_int_equal(rig_do(next, BLOCK_OPEN), BLOCK_OK);
    assert_int_equal(rig_read(next, 0, 1), 'b');
    assert_int_equal(rig_read(next, 1, 1), 'a');
    rig_free(next);
    end_thawer(thawer, leash);
}

static void copy_image(const char *from, const char *to)
{
    static uint8_t bytes[64 * 1024];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t got;

    assert_true(in >= 0 && out >= 0);
    while ((got = read(in, bytes, sizeof bytes)) > 0) {
        assert_int_equal(write(out, bytes, (size_t)got), got);
    }
    assert_int_equal(got, 0);
    (void)close(in);
    (void)close(out);
}

/* What a power cut at this moment would leave: the first and last byte and the size of the store.
 * The image below the mounted file system is copied as it is and mounted anew. */
static void expect_after_a_cut(const char *name, uint32_t count, int fill)
{
    struct blockfile *file;
    struct block_reply reply;

    copy_image(rig_path("image"), rig_path("cut"));
    mount_image(rig_path("cut"), "n");
    file = rig_open_port(rig_path(name));
    reply = rig_run(file, (struct block_request){.op = BLOCK_OPEN});
    assert_int_equal(reply.error, BLOCK_OK);
    assert_int_equal(reply.block_count, count);
    assert_int_equal(rig_read(file, 0, count), fill);
    rig_free(file);
    assert_int_equal(umount2(rig_path("n"), 0), 0);
    assert_int_equal(rmdir(rig_path("n")), 0);
}

static void blockfile_has_on_the_medium_what_it_says(void **state)
{
    struct blockfile *file;

    (void)state;
    need_mounts();
    mount_new("ext4", "m");
    file = rig_open_port(rig_path("m/sub/store.pk"));
    assert_int_equal(rig_create(file, 4), BLOCK_OK);
    assert_int_equal(rig_publish(file, false), BLOCK_OK);
    expect_after_a_cut("n/sub/store.pk", 4, 0);
    assert_int_equal(rig_write(file, 0, 4, 'a'), BLOCK_OK);
    assert_int_equal(rig_do(file, BLOCK_SYNC), BLOCK_OK);
    expect_after_a_cut("n/sub/store.pk", 4, 'a');
    assert_int_equal(rig_create(file, 6), BLOCK_OK);
    assert_int_equal(rig_write(file, 0, 6, 'b'), BLOCK_OK);
    assert_int_equal(rig_do(file, BLOCK_SYNC), BLOCK_OK);
    expect_after_a_cut("n/sub/store.pk", 4, 'a');
    expect_after_a_cut("n/sub/store.pk.new", 6, 'b');
    assert_int_equal(rig_write(file, 0, 6, 'c'), BLOCK_OK);
    assert_int_equal(rig_publish(file, true), BLOCK_OK);
    expect_after_a_cut("n/sub/store.pk", 6, 'c');
    expect_after_a_cut("n/sub/store.pk.bad", 4, 'a');
    rig_free(file);
}

static void blockfile_has_on_the_medium_what_stands_where_it_works(void **state)
{
    int here = open(".", O_RDONLY | O_CLOEXEC);
    struct blockfile *file;

    (void)state;
    need_mounts();
    mount_new("ext4", "m");
    assert_int_equal(chdir(rig_path("m")), 0);
    file = rig_store("store.pk", 2, 'a');
    assert_int_equal(fchdir(here), 0);
    (void)close(here);
    expect_after_a_cut("n/store.pk", 2, 'a');
    rig_free(file);
}

/* Blocks that are only reserved would cost a change of metadata at their first overwrite. */
static void blockfile_writes_a_new_file_out_whole(void **state)
{
    static union {
        struct fiemap map;
        uint8_t room[sizeof(struct fiemap) + RIG_BLOCKS_MAX * sizeof(struct fiemap_extent)];
    } found;
    const uint32_t unwanted =
        FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN;
    uint64_t bytes = 0;
    struct blockfile *file;
    int fd;

    (void)state;
    need_mounts();
    mount_new("ext4", "m");
    file = rig_open_port(rig_path("m/store.pk"));
    assert_int_equal(rig_create(file, 37), BLOCK_OK);
    fd = open(rig_path("m/store.pk.new"), O_RDONLY | O_CLOEXEC);
    found.map = (struct fiemap){.fm_length = FIEMAP_MAX_OFFSET, .fm_extent_count = RIG_BLOCKS_MAX};
    assert_int_equal(control(fd, FS_IOC_FIEMAP, &found), 0);
    (void)close(fd);
    for (uint32_t i = 0; i < found.map.fm_mapped_extents; i++) {
        assert_int_equal(found.map.fm_extents[i].fe_flags & unwanted, 0);
        bytes += found.map.fm_extents[i].fe_length;
    }
    assert_int_equal(bytes, 37 * BLOCK_BYTES);
    rig_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(blockfile_knows_memory_from_a_disk, unmount_all),
        cmocka_unit_test_teardown(blockfile_finds_memory_under_an_overlay, unmount_all),
        cmocka_unit_test_teardown(blockfile_finds_a_disk_under_an_overlay, unmount_all),
        cmocka_unit_test_teardown(blockfile_keeps_the_old_when_the_disk_is_full, unmount_all),
        cmocka_unit_test_teardown(blockfile_has_one_owner_however_often_it_is_replaced,
                                  unmount_all),
        cmocka_unit_test_teardown(blockfile_reports_a_full_disk_when_a_hole_is_written,
                                  unmount_all),
        cmocka_unit_test_teardown(blockfile_says_read_only, unmount_all),
        cmocka_unit_test_teardown(blockfile_reports_a_medium_that_dies, unmount_all),
        cmocka_unit_test_teardown(blockfile_waits_for_a_medium_that_hangs, unmount_all),
        cmocka_unit_test_teardown(blockfile_leaves_a_thread_that_hangs_behind, unmount_all),
        cmocka_unit_test_teardown(blockfile_has_on_the_medium_what_it_says, unmount_all),
        cmocka_unit_test_teardown(blockfile_has_on_the_medium_what_stands_where_it_works,
                                  unmount_all),
        cmocka_unit_test_teardown(blockfile_writes_a_new_file_out_whole, unmount_all),
    };
    return cmocka_run_group_tests(tests, enter_namespace, rig_remove_folder);
}
