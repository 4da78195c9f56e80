#include "lab_receiver.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab_http_request.h"
#include "metric_family.h"

#define GROUPS_MAX  64
#define PUSH_PREFIX "/metrics/job/"

struct group {
    char *path; /* behind "/metrics/"; NULL: free */
    uint8_t *body;
    size_t size;
    struct metric_family_totals totals;
    struct timespec pushed;
};

struct lab_receiver {
    pthread_mutex_t lock;
    struct group groups[GROUPS_MAX];
    unsigned long long pushes, rejected;
    unsigned newest;
};

struct lab_receiver *lab_receiver_new(void)
{
    struct lab_receiver *receiver = calloc(1, sizeof *receiver);
    if (receiver) {
        pthread_mutex_init(&receiver->lock, NULL);
    }
    return receiver;
}

static void free_group(struct group *group)
{
    free(group->path);
    free(group->body);
    *group = (struct group){0};
}

static struct group *find_group(struct lab_receiver *receiver, const char *path, bool create)
{
    struct group *vacant = NULL;
    for (unsigned i = 0; i < GROUPS_MAX; i++) {
        struct group *group = &receiver->groups[i];
        if (group->path && strcmp(group->path, path) == 0) {
            return group;
        }
        if (!group->path && !vacant) {
            vacant = group;
        }
    }
    if (create && vacant) {
        vacant->path = strdup(path);
    }
    return create && vacant && vacant->path ? vacant : NULL;
}

/* `job/x/site/y` -> `job="x",site="y"`. False for an odd number of parts or an empty one. */
static bool group_labels(const char *path, char *labels, size_t size)
{
    size_t used = 0;
    labels[0] = '\0';
    while (*path) {
        size_t name = strcspn(path, "/");
        const char *value = path + name + 1;
        size_t length = path[name] ? strcspn(value, "/") : 0;
        if (name == 0 || length == 0) {
            return false;
        }
        int count = snprintf(labels + used, size - used, "%s%.*s=\"%.*s\"", used ? "," : "",
                             (int)name, path, (int)length, value);
        if (count < 0 || (size_t)count >= size - used) {
            return false;
        }
        used += (size_t)count;
        path = value + length + (value[length] == '/');
    }
    return used > 0;
}

/* Takes the body over when it is good. Returns the HTTP status. */
static int take_push(struct lab_receiver *receiver, struct lab_http_request *request)
{
    const char *path = request->path + strlen("/metrics/");
    struct metric_family_totals totals;
    char labels[512];
    bool delimited = strstr(request->content_type, "application/vnd.google.protobuf") &&
                     strstr(request->content_type, "encoding=delimited");
    if (!delimited || !group_labels(path, labels, sizeof labels) ||
        !metric_families_print((const uint8_t *)request->body, request->body_size, labels, NULL,
                               &totals)) {
        receiver->rejected++;
        return 400;
    }
    struct group *group = find_group(receiver, path, true);
    if (!group) {
        receiver->rejected++;
        return 507;
    }
    free(group->body);
    group->body = (uint8_t *)request->body;
    group->size = request->body_size;
    group->totals = totals;
    clock_gettime(CLOCK_MONOTONIC, &group->pushed);
    request->body = NULL;
    receiver->pushes++;
    receiver->newest = (unsigned)(group - receiver->groups);
    return 200;
}

struct lab_receiver_totals lab_receiver_totals(struct lab_receiver *receiver)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&receiver->lock);
    struct lab_receiver_totals totals = {
        .pushes = receiver->pushes, .rejected = receiver->rejected, .seconds_since = -1};
    const struct group *newest = &receiver->groups[receiver->newest];
    if (newest->path) {
        totals.series = newest->totals.series;
        totals.bytes = (unsigned)newest->size;
        totals.seconds_since = (double)(now.tv_sec - newest->pushed.tv_sec) +
                               (double)(now.tv_nsec - newest->pushed.tv_nsec) / 1e9;
    }
    for (unsigned i = 0; i < GROUPS_MAX; i++) {
        totals.groups += receiver->groups[i].path != NULL;
        totals.results_total += receiver->groups[i].totals.results_total;
    }
    pthread_mutex_unlock(&receiver->lock);
    return totals;
}

static bool respond(int fd, enum lab_mode mode, int status, const char *header, const char *body,
                    size_t size)
{
    char head[512];
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 %d Lab\r\nContent-Length: %zu\r\n"
                          "Content-Type: text/plain; version=0.0.4\r\n%s\r\n",
                          status, size, header);
    return lab_send_in_mode(fd, mode, head, (size_t)length) && lab_send(fd, body, size);
}

static bool respond_metrics(struct lab_receiver *receiver, int fd)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) {
        return false;
    }
    pthread_mutex_lock(&receiver->lock);
    for (unsigned i = 0; i < GROUPS_MAX; i++) {
        const struct group *group = &receiver->groups[i];
        struct metric_family_totals totals;
        char labels[512];
        if (group->path && group_labels(group->path, labels, sizeof labels)) {
            metric_families_print(group->body, group->size, labels, out, &totals);
        }
    }
    pthread_mutex_unlock(&receiver->lock);
    fclose(out);
    bool good = respond(fd, LAB_OK, 200, "", text, size);
    free(text);
    return good;
}

static bool respond_to_push(struct lab_server *server, int fd, struct lab_http_request *request)
{
    struct lab_receiver *receiver = server->lab->receiver;
    enum lab_mode mode = (enum lab_mode)atomic_load(&server->mode);
    if (lab_misbehave(server, fd, mode)) {
        return false;
    }
    atomic_fetch_add(mode == LAB_OK ? &server->served : &server->misbehaved, 1);
    switch (mode) {
    case LAB_ERROR:
        return respond(fd, mode, 500, "", "out of order\n", 13);
    case LAB_BUSY:
        return respond(fd, mode, 429, "Retry-After: 3\r\n", "too many\n", 9);
    case LAB_REDIRECT:
        return respond(fd, mode, 302, "Location: /\r\n", "", 0);
    default:
        break;
    }
    int status = 202;
    pthread_mutex_lock(&receiver->lock);
    if (strcmp(request->method, "DELETE") == 0) {
        struct group *group = find_group(receiver, request->path + strlen("/metrics/"), false);
        if (group) {
            free_group(group);
        }
    } else {
        status = take_push(receiver, request);
    }
    pthread_mutex_unlock(&receiver->lock);
    const char *why = status == 400 ? "malformed body, type or group\n" : "";
    return respond(fd, mode, status, "", why, strlen(why));
}

static bool serve_request(struct lab_server *server, int fd, struct lab_http_request *request)
{
    bool get = strcmp(request->method, "GET") == 0;
    bool push = strcmp(request->method, "PUT") == 0 || strcmp(request->method, "POST") == 0 ||
                strcmp(request->method, "DELETE") == 0;
    if (get && strcmp(request->path, "/metrics") == 0) {
        return respond_metrics(server->lab->receiver, fd);
    }
    if (push && strncmp(request->path, PUSH_PREFIX, strlen(PUSH_PREFIX)) == 0) {
        return respond_to_push(server, fd, request);
    }
    return respond(fd, LAB_OK, get || push ? 404 : 405, "", "", 0);
}

void lab_push_serve(struct lab_server *server, int fd)
{
    struct lab_http_request request;
    bool more = true;
    while (more && lab_http_request_read(fd, &request)) {
        more = serve_request(server, fd, &request) && request.keep_alive;
        lab_http_request_free(&request);
    }
}
