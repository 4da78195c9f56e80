#include "signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

static void add_everybodys(sigset_t *set)
{
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

static void add_parents(sigset_t *set)
{
    sigaddset(set, SIGNALS_PARENT_STOP);
    sigaddset(set, SIGNALS_PARENT_RELOAD);
}

void signals_hold(void)
{
    sigset_t set;
    sigemptyset(&set);
    add_everybodys(&set);
    add_parents(&set);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

enum error signals_open(struct signals *signals, bool by_parent)
{
    sigset_t set;
    sigemptyset(&set);
    if (by_parent) {
        add_parents(&set);
    } else {
        add_everybodys(&set);
    }
    signals_hold();
    *signals = (struct signals){.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)};
    return signals->fd < 0 ? ERROR_EXHAUSTED : ERROR_NONE;
}

void signals_close(struct signals *signals)
{
    if (signals->fd >= 0) {
        close(signals->fd);
        signals->fd = -1;
    }
}

void signals_waits(const struct signals *signals, struct waits *waits)
{
    waits_add(waits, signals->fd, POLLIN);
}

void signals_step(struct signals *signals, const struct waits *ready)
{
    if (!waits_ready(ready, signals->fd)) {
        return;
    }
    struct signalfd_siginfo info;
    while (read(signals->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP || info.ssi_signo == SIGNALS_PARENT_RELOAD) {
            signals->reload = true;
        } else {
            signals->stop = true;
        }
    }
}
