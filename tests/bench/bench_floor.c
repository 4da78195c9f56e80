#include "bench_floor.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base.h"

enum { BACK_TO_BACK = 400, PACED = 15 };
#define PACE_US (10 * USEC_PER_MSEC)

static double own_cpu_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static double sockets_ms(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const char request[] = "GET /x HTTP/1.1\r\nHost: bench\r\n\r\n";
    char bytes[512];
    double before_ms = own_cpu_ms();
    for (int i = 0; i < BACK_TO_BACK; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
            write(fd, request, sizeof request - 1) < 0 || read(fd, bytes, sizeof bytes) <= 0) {
            fprintf(stderr, "bench: bare sockets: %s\n", strerror(errno));
            exit(1);
        }
        close(fd);
    }
    return (own_cpu_ms() - before_ms) / BACK_TO_BACK;
}

static size_t discard(char *bytes, size_t one, size_t count, void *context)
{
    (void)bytes;
    (void)one;
    (void)context;
    return count;
}

static double libcurl_ms(uint16_t port, int requests, usec_t pace_us)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x", port);
    double before_ms = own_cpu_ms();
    for (int i = 0; i < requests; i++) {
        CURL *easy = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
        if (curl_easy_perform(easy) != CURLE_OK) {
            fprintf(stderr, "bench: bare libcurl failed\n");
            exit(1);
        }
        curl_easy_cleanup(easy);
        if (pace_us > 0) {
            usleep((useconds_t)pace_us);
        }
    }
    return (own_cpu_ms() - before_ms) / requests;
}

struct bench_floor bench_floor_slice(uint16_t port)
{
    return (struct bench_floor){.sockets_ms = sockets_ms(port),
                                .libcurl_ms = libcurl_ms(port, BACK_TO_BACK, 0),
                                .libcurl_paced_ms = libcurl_ms(port, PACED, PACE_US)};
}
