/* SPDX-License-Identifier: Apache-2.0 */
#include "server/supervisor/supervisor.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/http/http.h"
#include "lib/ipc/ipc.h"
#include "lib/rate/rate.h"
#include "server/role.h"
#include "server/supervisor/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SHORT_LIFE_MS 1000      /* a role that dies sooner after its start ... */
#define SHORT_LIVES_MOST 10u    /* ... so often in a row is in a loop */
#define RESTART_DELAY_MS 50     /* doubled with each short life */
#define RESTART_DELAY_MOST_MS 5000
#define STOP_PATIENCE_MS 3000
#define LISTEN_PATIENCE_MS 2000 /* for the responders of a supervisor that was just killed */

/* One process of ours. */
struct child {
    enum ipc_role role;
    unsigned number;
    pid_t pid;                  /* 0 when not running */
    bool ready;
    struct ipc_channel channel; /* fd -1 when not running */
    int64_t started_ms;
    int64_t start_at_ms;        /* when not running: not before */
    unsigned short_lives;
    int listeners[ROLE_LISTENERS_MAX]; /* responder: its own sockets, kept over restarts */
    unsigned listeners_count;
};

struct supervisor {
    const struct config *config;
    struct tls_keeper *tls;
    struct child *children; /* registrar, signer, responders */
    size_t count;
    int rates; /* the responders' shared memory */
    int signals;
    bool stopping;
    int64_t began_ms;
    bool told_ready;
};

/* --- Before anything runs ----------------------------------------------------- */

static enum status lock_directory(const struct config *config)
{
    char path[PATH_MAX];

    TRY(config_absolute(config, "run", path));
    TRY(file_make_directory(path, 0755));
    TRY(config_absolute(config, "run/musterd.lock", path));
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600); /* kept until we end */
    if (fd < 0)
        return fail(FAULT, "%s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return fail(REFUSED, "%s: another musterd runs with this directory; end it first", config->directory);
    return OK;
}

/* Started as root, a role owns its own directory and nothing else. */
static enum status give_directory(const struct config *config, const char *name, enum ipc_role role)
{
    char path[PATH_MAX];

    TRY(config_absolute(config, name, path));
    TRY(file_make_directory(path, 0700));
    if (geteuid() != 0 || config->uid_base == 0)
        return OK;
    const unsigned uid = config->uid_base + (unsigned)role;
    if (chown(path, uid, uid) != 0)
        return fail(FAULT, "%s: cannot give it to uid %u: %s", path, uid, strerror(errno));
    return OK;
}

/* First those of plain HTTP, then those of TLS. */
static const char *listen_address(const struct config *config, size_t i)
{
    return i < config->listen_count ? config->listen[i] : config->listen_tls[i - config->listen_count];
}

static size_t listen_addresses(const struct config *config)
{
    return config->listen_count + config->listen_tls_count;
}

static enum status open_listeners(const struct config *config, struct child *responder)
{
    _Static_assert(ROLE_LISTENERS_MAX >= 2 * CONFIG_LISTEN_MAX, "a socket for every address");

    for (size_t i = 0; i < listen_addresses(config); i++) {
        TRY(http_listen(listen_address(config, i), &responder->listeners[i]));
        responder->listeners_count++;
    }
    return OK;
}

static enum status check_listen_addresses(const struct config *config)
{
    const int64_t until_ms = clock_monotonic_ms() + LISTEN_PATIENCE_MS;

    for (size_t i = 0; i < listen_addresses(config); i++)
        while (http_listen_check(listen_address(config, i)) != OK) {
            if (clock_monotonic_ms() > until_ms)
                return FAULT;
            (void)poll(NULL, 0, 20);
        }
    return OK;
}

static enum status make_children(struct supervisor *s)
{
    s->count = 2 + s->config->responders;
    s->children = calloc(s->count, sizeof *s->children);
    if (!s->children)
        return fail(FAULT, "no memory for %zu roles", s->count);
    for (size_t i = 0; i < s->count; i++) {
        struct child *c = &s->children[i];
        c->role = i == 0 ? IPC_REGISTRAR : i == 1 ? IPC_SIGNER : IPC_RESPONDER;
        c->number = i < 2 ? 0 : (unsigned)(i - 2);
        c->channel.fd = -1;
        if (c->role == IPC_RESPONDER)
            TRY(open_listeners(s->config, c));
    }
    return OK;
}

/* --- Starting a role ------------------------------------------------------------ */

/* In the child: our descriptors to their places, everything else closed, then the program again.
 * The copies above 100 keep a source from being overwritten before it is moved. */
static void become_role(const struct supervisor *s, const struct child *c, int channel)
{
    char number[16];
    const char *const name = ipc_role_name(c->role);
    char *const arguments[] = { (char *)"musterd", (char *)"role", (char *)name, number, (char *)s->config->directory, NULL };
    int high[ROLE_LISTENERS_MAX];
    sigset_t none;

    snprintf(number, sizeof number, "%u", c->number);
    const bool is_responder = c->role == IPC_RESPONDER;
    const int rates = is_responder ? fcntl(s->rates, F_DUPFD, 100) : -1;
    channel = fcntl(channel, F_DUPFD, 100);
    for (unsigned i = 0; i < c->listeners_count; i++)
        high[i] = fcntl(c->listeners[i], F_DUPFD, 100);
    if (dup2(channel, ROLE_SUPERVISOR_FD) < 0 || (is_responder && dup2(rates, ROLE_RATES_FD) < 0))
        _exit(1);
    for (unsigned i = 0; i < c->listeners_count; i++)
        if (dup2(high[i], ROLE_LISTENERS_FD + (int)i) < 0)
            _exit(1);
    const unsigned first_unused = is_responder ? (unsigned)ROLE_LISTENERS_FD + c->listeners_count : ROLE_RATES_FD;
    if (close_range(first_unused, ~0u, 0) != 0)
        _exit(1);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv("/proc/self/exe", arguments);
    _exit(1);
}

static enum status start_child(struct supervisor *s, struct child *c)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return fail(FAULT, "cannot make a channel: %s", strerror(errno));
    const pid_t pid = fork();
    if (pid == 0)
        become_role(s, c, pair[1]);
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return fail(FAULT, "cannot start the %s: %s", ipc_role_name(c->role), strerror(errno));
    }
    TRY(ipc_channel_init(&c->channel, pair[0], IPC_SUPERVISOR, c->role, c->number));
    c->pid = pid;
    c->ready = false;
    c->started_ms = clock_monotonic_ms();
    log_write(LOG_INFO, "%s %u started, pid %d", ipc_role_name(c->role), c->number, (int)pid);
    return OK;
}

/* --- Channels between the roles --------------------------------------------------- */

static enum status send_peer(struct child *to, const struct child *other, int fd)
{
    const struct ipc_message m = { .kind = IPC_KIND_peer,
                                   .peer = { .role = (uint8_t)other->role, .number = other->number } };

    return ipc_send_with_fd(to->channel.fd, &m, fd);
}

static void end_child(const struct child *c)
{
    log_write(LOG_ERROR, "%s; ending the %s", fail_text(), ipc_role_name(c->role));
    kill(c->pid, SIGKILL);
}

static void link_pair(struct child *a, struct child *b)
{
    int pair[2];

    if (!a->ready || !b->ready)
        return;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        log_write(LOG_ERROR, "cannot make a channel: %s", strerror(errno));
        return;
    }
    /* Who cannot be told is dying, or hangs: its restart links them again. */
    if (send_peer(a, b, pair[0]) != OK)
        end_child(a);
    else if (send_peer(b, a, pair[1]) != OK)
        end_child(b);
    close(pair[0]);
    close(pair[1]);
}

/* --- TLS identities ------------------------------------------------------------------- */

/* What its socket does not take now goes when it does.  False: it has gone. */
static bool flush_child(struct child *c)
{
    return !ipc_channel_has_output(&c->channel) || ipc_channel_flush(&c->channel) != FAULT;
}

static void send_identities(struct supervisor *s, struct child *responder, uint32_t sections)
{
    if (tls_keeper_hand_over(s->tls, sections, responder->channel.fd) != OK)
        end_child(responder);
}

static void send_ticket_key(struct supervisor *s, struct child *responder)
{
    if (tls_keeper_send_ticket_key(s->tls, &responder->channel) != OK || !flush_child(responder))
        end_child(responder);
}

static void each_ready_responder(struct supervisor *s, uint32_t changed, bool ticket_key)
{
    for (size_t i = 0; i < s->count; i++) {
        struct child *c = &s->children[i];
        if (c->role != IPC_RESPONDER || !c->ready || c->channel.fd < 0)
            continue;
        if (ticket_key)
            send_ticket_key(s, c);
        if (changed)
            send_identities(s, c, changed);
    }
}

static void ask_registrar(struct supervisor *s)
{
    struct child *registrar = &s->children[0];
    struct ipc_message m;

    while (registrar->ready && registrar->channel.fd >= 0 && tls_keeper_next_request(s->tls, clock_now_s(), &m))
        if (ipc_channel_send(&registrar->channel, &m) != OK || !flush_child(registrar)) {
            end_child(registrar);
            return;
        }
}

/* What has changed on disk goes to the responders; what is due is asked for.  Returns when to look again. */
static int keep_identities(struct supervisor *s, int wait_ms)
{
    if (!s->config->tls_count)
        return wait_ms;
    ask_registrar(s);
    const uint32_t changed = tls_keeper_look(s->tls);
    const bool ticket_key = tls_keeper_turn_ticket_key(s->tls);
    if (changed || ticket_key)
        each_ready_responder(s, changed, ticket_key);
    return wait_ms < 0 || wait_ms > TLS_LOOK_MS ? TLS_LOOK_MS : wait_ms;
}

/* --- Who talks to whom ----------------------------------------------------------------- */

/* Who talks to whom: everybody to the registrar, and nobody to anybody else. */
static void link_child(struct supervisor *s, struct child *c)
{
    if (c->role == IPC_RESPONDER && s->config->tls_count) {
        send_ticket_key(s, c);
        send_identities(s, c, UINT32_MAX); /* they may have changed since it has read them */
    }
    if (c->role != IPC_REGISTRAR) {
        link_pair(&s->children[0], c);
        return;
    }
    for (size_t i = 1; i < s->count; i++)
        link_pair(c, &s->children[i]);
}

static void tell_when_ready(struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (!s->children[i].ready)
            return;
    if (!tls_keeper_is_complete(s->tls))
        return;
    if (!s->told_ready)
        log_write(LOG_NOTICE, "ready after %lld ms: %u responders at %s, enrolment at %s/scep/%s",
                  (long long)(clock_monotonic_ms() - s->began_ms), s->config->responders, listen_address(s->config, 0),
                  s->config->public_url, s->config->paths[0].name);
    s->told_ready = true;
}

static void take_ready(struct supervisor *s, struct child *c)
{
    if (c->ready) {
        (void)fail(BAD_INPUT, "ready a second time");
        end_child(c);
        return;
    }
    c->ready = true;
    log_write(LOG_INFO, "%s %u ready", ipc_role_name(c->role), c->number);
    link_child(s, c);
    tell_when_ready(s);
}

static void hear_child(struct supervisor *s, struct child *c)
{
    struct ipc_message m;

    if (ipc_channel_fill(&c->channel) == FAULT) {
        ipc_channel_clear(&c->channel); /* SIGCHLD tells the rest */
        return;
    }
    for (;;) {
        const enum status status = ipc_channel_next(&c->channel, &m);
        if (status == PENDING)
            return;
        if (status != OK) {
            end_child(c);
            return;
        }
        if (m.kind == IPC_KIND_certified) {
            tls_keeper_take(s->tls, &m.certified, clock_now_s());
            (void)keep_identities(s, -1);
            tell_when_ready(s);
        } else {
            take_ready(s, c);
        }
    }
}

/* --- Death ------------------------------------------------------------------------- */

static void describe_end(int result, char *text, size_t size)
{
    if (WIFSIGNALED(result))
        snprintf(text, size, "killed by signal %d (%s)", WTERMSIG(result), strsignal(WTERMSIG(result)));
    else
        snprintf(text, size, "ended with status %d", WEXITSTATUS(result));
}

/* Returns FAULT when the role is in a loop of dying and nothing can work without it. */
static enum status bury_child(struct supervisor *s, struct child *c, int result)
{
    const int64_t now_ms = clock_monotonic_ms();
    char how[80];

    describe_end(result, how, sizeof how);
    ipc_channel_clear(&c->channel);
    c->pid = 0;
    c->ready = false;
    if (c->role == IPC_REGISTRAR)
        tls_keeper_registrar_went(s->tls);
    if (s->stopping)
        return OK;
    c->short_lives = now_ms - c->started_ms < SHORT_LIFE_MS ? c->short_lives + 1 : 0;
    const unsigned doubled = c->short_lives < 10 ? c->short_lives : 10;
    const int64_t delay_ms = c->short_lives < 2 ? 0 : RESTART_DELAY_MS * (INT64_C(1) << doubled);
    c->start_at_ms = now_ms + (delay_ms < RESTART_DELAY_MOST_MS ? delay_ms : RESTART_DELAY_MOST_MS);
    log_write(LOG_ERROR, "%s %u (%s); starting it again", ipc_role_name(c->role), c->number, how);
    if (c->role != IPC_RESPONDER && c->short_lives >= SHORT_LIVES_MOST)
        return fail(FAULT, "the %s died %u times in a row right after its start; its own log lines above say why",
                    ipc_role_name(c->role), c->short_lives);
    return OK;
}

static enum status reap(struct supervisor *s)
{
    int result;
    pid_t pid;

    while ((pid = waitpid(-1, &result, WNOHANG)) > 0)
        for (size_t i = 0; i < s->count; i++)
            if (s->children[i].pid == pid)
                TRY(bury_child(s, &s->children[i], result));
    return OK;
}

static enum status hear_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;

    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            s->stopping = true;
    return reap(s);
}

/* Everything is durable at every moment, so to stop is to end: responders first, that nobody is
 * accepted who cannot be answered. */
static void stop_children(struct supervisor *s)
{
    s->stopping = true;
    for (size_t i = s->count; i-- > 0;)
        if (s->children[i].pid)
            kill(s->children[i].pid, SIGTERM);
    const int64_t until_ms = clock_monotonic_ms() + STOP_PATIENCE_MS;
    for (;;) {
        size_t alive = 0;
        (void)reap(s);
        for (size_t i = 0; i < s->count; i++)
            alive += s->children[i].pid != 0;
        if (alive == 0)
            return;
        if (clock_monotonic_ms() > until_ms)
            break;
        struct pollfd wait = { .fd = s->signals, .events = POLLIN };
        (void)poll(&wait, 1, 50);
    }
    for (size_t i = 0; i < s->count; i++)
        if (s->children[i].pid)
            kill(s->children[i].pid, SIGKILL);
}

/* --- The loop ------------------------------------------------------------------------ */

static void start_due(struct supervisor *s, int *wait_ms)
{
    const int64_t now_ms = clock_monotonic_ms();

    *wait_ms = -1;
    for (size_t i = 0; i < s->count; i++) {
        struct child *c = &s->children[i];
        if (c->pid)
            continue;
        if (c->start_at_ms <= now_ms && start_child(s, c) != OK) {
            log_write(LOG_ERROR, "%s; trying again", fail_text());
            c->start_at_ms = now_ms + RESTART_DELAY_MOST_MS;
        }
        if (c->pid)
            continue;
        if (*wait_ms < 0 || c->start_at_ms - now_ms < *wait_ms)
            *wait_ms = (int)(c->start_at_ms - now_ms);
    }
}

static void serve_child(struct supervisor *s, struct child *c, short events)
{
    if ((events & POLLOUT) && !flush_child(c))
        end_child(c);
    if (events & ~POLLOUT)
        hear_child(s, c);
}

static enum status turn(struct supervisor *s, struct pollfd *polled)
{
    int wait_ms;

    start_due(s, &wait_ms);
    wait_ms = keep_identities(s, wait_ms);
    for (size_t i = 0; i < s->count; i++) {
        const struct ipc_channel *channel = &s->children[i].channel;
        const short out = channel->fd >= 0 && ipc_channel_has_output(channel) ? POLLOUT : 0;
        polled[i] = (struct pollfd){ .fd = channel->fd, .events = (short)(POLLIN | out) };
    }
    polled[s->count] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
    if (poll(polled, s->count + 1, wait_ms) < 0 && errno != EINTR)
        return fail(FAULT, "poll: %s", strerror(errno));
    for (size_t i = 0; i < s->count; i++)
        if (polled[i].revents && s->children[i].channel.fd >= 0)
            serve_child(s, &s->children[i], polled[i].revents);
    return hear_signals(s);
}

static enum status watch_signals(struct supervisor *s)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP); /* wakes us up, and every turn looks whether files have changed */
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals < 0 ? fail(FAULT, "signalfd: %s", strerror(errno)) : OK;
}

enum status supervisor_run(const struct config *config)
{
    AUTO(tls_keeper_freep) struct tls_keeper *tls = NULL;

    TRY(tls_keeper_new(config, &tls));
    struct supervisor s = { .config = config, .tls = tls, .began_ms = clock_monotonic_ms() };

    TRY(lock_directory(config));
    TRY(give_directory(config, CONFIG_REGISTRAR_DIRECTORY, IPC_REGISTRAR));
    TRY(give_directory(config, CONFIG_SIGNER_DIRECTORY, IPC_SIGNER));
    TRY(check_listen_addresses(config));
    TRY(rates_create(&s.rates));
    TRY(make_children(&s));
    TRY(watch_signals(&s));
    struct pollfd *polled = calloc(s.count + 1, sizeof *polled);
    enum status status = polled ? OK : fail(FAULT, "no memory");
    while (status == OK && !s.stopping)
        status = turn(&s, polled);
    stop_children(&s);
    free(polled);
    free(s.children);
    return status;
}
