/* State of the one operation, under `lock`, which is never held while a file is touched:
 *
 *   IDLE --submit--> BUSY --thread--> ENDED --collect--> IDLE
 *
 * `request`, `files` and `end` belong to the thread while BUSY, else to the loop. The eventfd is
 * readable exactly while ENDED. */
#include "blockfile.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "blockfile_ops.h"

/* What an idle thread is given to end in on a busy machine. */
#define IDLE_PATIENCE_US USEC_PER_SEC

enum phase { PHASE_IDLE, PHASE_BUSY, PHASE_ENDED };

struct blockfile {
    pthread_t thread;
    int ended_fd; /* eventfd, non-blocking */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* something to do for the thread, or the thread is done */
    enum phase phase;
    bool stopping; /* the thread is to end */
    bool done;     /* it has let go of everything and touches nothing any more */
    struct block_request request;
    struct blockfile_end end;
    struct blockfile_files files;
    char names[]; /* what files' paths point to */
};

static struct timespec timespec_of(usec_t time_us)
{
    return (struct timespec){.tv_sec = (time_t)(time_us / USEC_PER_SEC),
                             .tv_nsec = (long)(time_us % USEC_PER_SEC * 1000)};
}

static usec_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (usec_t)now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

/* Runs the submitted operation. Called and left with the lock held. */
static void run_request(struct blockfile *blockfile)
{
    const uint64_t one = 1;
    usec_t start_us = now_us();

    (void)pthread_mutex_unlock(&blockfile->lock);
    blockfile_run(&blockfile->files, &blockfile->request, &blockfile->end);
    blockfile->end.reply.duration_us = now_us() - start_us;
    (void)pthread_mutex_lock(&blockfile->lock);
    blockfile->phase = PHASE_ENDED;
    /* Fails only when the counter is full: then it is readable anyway. */
    (void)!write(blockfile->ended_fd, &one, sizeof one);
}

static void *thread_main(void *context)
{
    struct blockfile *blockfile = context;

    (void)pthread_mutex_lock(&blockfile->lock);
    while (!blockfile->stopping) {
        if (blockfile->phase == PHASE_BUSY) {
            run_request(blockfile);
        } else {
            (void)pthread_cond_wait(&blockfile->changed, &blockfile->lock);
        }
    }
    (void)pthread_mutex_unlock(&blockfile->lock);
    blockfile_let_go(&blockfile->files); /* close() can wait for the medium too */
    (void)pthread_mutex_lock(&blockfile->lock);
    blockfile->done = true;
    (void)pthread_cond_signal(&blockfile->changed);
    (void)pthread_mutex_unlock(&blockfile->lock);
    return NULL;
}

/* Every signal is the loop's. SIGXFSZ above all: held back, it leaves a plain EFBIG. */
static bool start_thread(struct blockfile *blockfile)
{
    const size_t least = (size_t)PTHREAD_STACK_MIN;
    pthread_attr_t attributes;
    sigset_t all, before;
    int failed;

    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    (void)pthread_attr_setstacksize(&attributes,
                                    least > BLOCKFILE_STACK_BYTES ? least : BLOCKFILE_STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&blockfile->thread, &attributes, thread_main, blockfile);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return failed == 0;
}

static void release(struct blockfile *blockfile)
{
    if (blockfile->ended_fd >= 0) {
        close(blockfile->ended_fd);
    }
    (void)pthread_cond_destroy(&blockfile->changed);
    (void)pthread_mutex_destroy(&blockfile->lock);
    free(blockfile);
}

/* The folder a path is in, as a path of its own; `out` has room for the path or for ".". */
static void folder_of(const char *path, char *out)
{
    const char *end = path + strlen(path);

    while (end > path && end[-1] == '/') { /* "folder//" */
        end--;
    }
    while (end > path && end[-1] != '/') {
        end--;
    }
    while (end > path + 1 && end[-1] == '/') {
        end--;
    }
    if (end == path) {
        memcpy(out, ".", sizeof ".");
    } else {
        memcpy(out, path, (size_t)(end - path));
        out[end - path] = '\0';
    }
}

/* `room` is what one name may take, its NUL included. */
static void set_paths(struct blockfile *blockfile, const char *path, size_t room)
{
    char *name = blockfile->names;
    char *folder = name + 3 * room, *parent = name + 4 * room;

    snprintf(name, room, "%s", path);
    snprintf(name + room, room, "%s.new", path);
    snprintf(name + 2 * room, room, "%s.bad", path);
    folder_of(path, folder);
    folder_of(folder, parent);
    blockfile->files = (struct blockfile_files){.path = name,
                                                .fresh_path = name + room,
                                                .aside_path = name + 2 * room,
                                                .folder = folder,
                                                .parent = parent,
                                                .current = {.fd = -1},
                                                .fresh = {.fd = -1}};
}

static void init_lock(struct blockfile *blockfile)
{
    pthread_condattr_t attributes;

    (void)pthread_mutex_init(&blockfile->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&blockfile->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

struct blockfile *blockfile_new(const char *path)
{
    size_t room = strlen(path) + sizeof ".new";
    struct blockfile *blockfile = calloc(1, sizeof *blockfile + 5 * room);

    if (blockfile == NULL) {
        return NULL;
    }
    set_paths(blockfile, path, room);
    init_lock(blockfile);
    blockfile->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (blockfile->ended_fd < 0 || !start_thread(blockfile)) {
        release(blockfile);
        return NULL;
    }
    return blockfile;
}

/* Asserts what only a bug of ours can ask for. Where nothing is open the operation itself says so.
 */
static void check_request(const struct blockfile_files *files, const struct block_request *request)
{
    const struct blockfile_held *held =
        request->op == BLOCK_WRITE && files->fresh.fd >= 0 ? &files->fresh : &files->current;

    if ((request->op == BLOCK_READ || request->op == BLOCK_WRITE) && held->fd >= 0) {
        assert(request->bytes != NULL && request->first <= held->block_count &&
               request->count <= held->block_count - request->first);
    }
    assert(request->op != BLOCK_CREATE || request->count > 0);
}

static bool submit(void *context, const struct block_request *request)
{
    struct blockfile *blockfile = context;
    bool idle;

    (void)pthread_mutex_lock(&blockfile->lock);
    idle = blockfile->phase == PHASE_IDLE;
    if (idle) {
        check_request(&blockfile->files, request);
        blockfile->request = *request;
        blockfile->phase = PHASE_BUSY;
        (void)pthread_cond_signal(&blockfile->changed);
    }
    (void)pthread_mutex_unlock(&blockfile->lock);
    return idle;
}

/* Here and not in the thread: strerror() is not made for two threads, nor for small stacks. */
static void write_note(struct block_reply *reply, const struct blockfile_end *end)
{
    if (end->what != NULL && end->system_errno != 0) {
        snprintf(reply->note, sizeof reply->note, "%s: %s", end->what, strerror(end->system_errno));
    } else if (end->what != NULL) {
        snprintf(reply->note, sizeof reply->note, "%s", end->what);
    }
}

static bool collect(void *context, struct block_reply *reply)
{
    struct blockfile *blockfile = context;
    uint64_t count;
    bool ended;

    (void)pthread_mutex_lock(&blockfile->lock);
    ended = blockfile->phase == PHASE_ENDED;
    if (ended) {
        *reply = blockfile->end.reply;
        write_note(reply, &blockfile->end);
        (void)!read(blockfile->ended_fd, &count, sizeof count);
        blockfile->phase = PHASE_IDLE;
    }
    (void)pthread_mutex_unlock(&blockfile->lock);
    return ended;
}

struct blockdev blockfile_port(struct blockfile *blockfile)
{
    return (struct blockdev){.context = blockfile, .submit = submit, .collect = collect};
}

void blockfile_waits(const struct blockfile *blockfile, struct waits *waits)
{
    waits_add(waits, blockfile->ended_fd, POLLIN);
}

bool blockfile_free(struct blockfile *blockfile, usec_t patience_us)
{
    struct timespec deadline;
    int failed = 0;
    bool done;

    (void)pthread_mutex_lock(&blockfile->lock);
    if (blockfile->phase != PHASE_BUSY) {
        patience_us = usec_max(patience_us, IDLE_PATIENCE_US);
    }
    deadline = timespec_of(usec_add(now_us(), patience_us));
    blockfile->stopping = true;
    (void)pthread_cond_signal(&blockfile->changed);
    while (!blockfile->done && failed == 0) {
        failed = pthread_cond_timedwait(&blockfile->changed, &blockfile->lock, &deadline);
    }
    done = blockfile->done;
    (void)pthread_mutex_unlock(&blockfile->lock);
    if (done) {
        (void)pthread_join(blockfile->thread, NULL);
        release(blockfile);
    }
    return done;
}
