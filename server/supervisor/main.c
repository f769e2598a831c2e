/* SPDX-License-Identifier: Apache-2.0
 *
 * musterd: the server.  One program; run as itself it supervises, run as `musterd role ...` it is
 * one of the processes that do the work.
 */
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "server/registrar/registrar.h"
#include "server/responder/responder.h"
#include "server/role.h"
#include "server/signer/signer.h"
#include "server/supervisor/check.h"
#include "server/supervisor/init.h"
#include "server/supervisor/supervisor.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define OPENSSL_GOOD_VERSION 0x30000160L /* 3.0.22 */

static const char help_text[] =
    "usage: musterd init DIR [options]   make a PKI and a configuration in DIR (musterd init --help)\n"
    "       musterd check DIR            read configuration, keys and certificates; say what is wrong\n"
    "       musterd run DIR              run the server until SIGTERM\n"
    "       musterd version\n"
    "See musterd(8) and musterd.conf(5).\n";

static int report(enum status status)
{
    if (status != OK)
        log_write(LOG_ERROR, "%s", fail_text());
    return status_exit_code(status);
}

/* $MUSTER_LOG: error, warning, notice (default), info or debug; the roles inherit it. */
static enum log_level log_level_wanted(void)
{
    static const char *const names[] = { "error", "warning", "notice", "info", "debug" };
    const char *wanted = getenv("MUSTER_LOG");

    for (size_t i = 0; wanted && i < COUNT_OF(names); i++)
        if (strcmp(names[i], wanted) == 0)
            return (enum log_level)i;
    return LOG_NOTICE;
}

static void tell_openssl(void)
{
    log_write(LOG_NOTICE, "musterd %s, %s", MUSTER_VERSION, OpenSSL_version(OPENSSL_VERSION));
    if (OpenSSL_version_num() < (unsigned long)OPENSSL_GOOD_VERSION)
        log_write(LOG_WARNING, "this OpenSSL is older than 3.0.22: unless your distribution has backported the fixes, "
                               "upgrade it (on Debian: apt-get install libssl3)");
}

/* RFC 8894 s2.9 */
static void tell_legacy(const struct config *config)
{
    for (size_t i = 0; i < config->paths_count; i++) {
        const struct scep_policy *policy = &config->paths[i].policy;
        if (policy->allow_des || policy->allow_md5)
            log_write(LOG_WARNING, "path %s takes %s%s%s, which SCEP forbids: whoever listens can read or forge such "
                                   "messages; every use is an event",
                      config->paths[i].name, policy->allow_des ? "single DES" : "",
                      policy->allow_des && policy->allow_md5 ? " and " : "", policy->allow_md5 ? "MD5" : "");
    }
}

static int run_main(int argc, char **argv)
{
    AUTO(config_freep) struct config *config = NULL;

    if (argc != 2)
        return fputs(help_text, stderr), EXIT_USAGE;
    const enum status status = config_load(argv[1], &config);
    if (status != OK)
        return report(status);
    tell_openssl();
    tell_legacy(config);
    return report(supervisor_run(config));
}

static int check_main(int argc, char **argv)
{
    AUTO(config_freep) struct config *config = NULL;

    if (argc != 2)
        return fputs(help_text, stderr), EXIT_USAGE;
    enum status status = config_load(argv[1], &config);
    if (status == OK)
        status = check_files(config);
    if (status == OK)
        tell_legacy(config);
    return report(status);
}

static int version_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("musterd %s\n%s\n", MUSTER_VERSION, OpenSSL_version(OPENSSL_VERSION));
    return 0;
}

static const struct {
    const char *name;
    int (*main)(const struct role *role);
} roles[] = {
    { "registrar", registrar_main },
    { "responder", responder_main },
    { "signer", signer_main },
};

/* A role allocates and frees the same sizes for years: the heap's end is not given back to the kernel each time. */
static void keep_heap(void)
{
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    mallopt(M_TOP_PAD, 1 << 20);
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
}

/* musterd role NAME NUMBER DIR, by the supervisor only: server/role.h. */
static int role_main(int argc, char **argv)
{
    static int listeners[ROLE_LISTENERS_MAX];
    struct role role = { .listeners = listeners };
    char who[64];
    int64_t number;

    if (argc != 4 || number_parse(argv[2], 0, 1000000, &number) != OK)
        return fputs("musterd role: the supervisor starts the roles; use: musterd run DIR\n", stderr), EXIT_USAGE;
    role.directory = argv[3];
    role.number = (unsigned)number;
    while (role.listeners_count < ROLE_LISTENERS_MAX &&
           lseek(ROLE_LISTENERS_FD + (int)role.listeners_count, 0, SEEK_CUR) < 0 && errno == ESPIPE) {
        listeners[role.listeners_count] = ROLE_LISTENERS_FD + (int)role.listeners_count;
        role.listeners_count++;
    }
    snprintf(who, sizeof who, "musterd[%s %u]", argv[1], role.number);
    log_init(who, log_level_wanted());
    prctl(PR_SET_NAME, argv[1]); /* what top(1) shows: the program was started as /proc/self/exe */
    keep_heap();
    for (size_t i = 0; i < COUNT_OF(roles); i++)
        if (strcmp(roles[i].name, argv[1]) == 0)
            return roles[i].main(&role);
    return fputs("musterd role: no such role\n", stderr), EXIT_USAGE;
}

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} commands[] = {
    { "init", init_main },       { "check", check_main }, { "run", run_main },
    { "version", version_main }, { "role", role_main },
};

int main(int argc, char **argv)
{
    log_init("musterd", log_level_wanted());
    for (size_t i = 0; argc > 1 && i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, argv[1]) == 0)
            return commands[i].main(argc - 1, argv + 1);
    const bool asked = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0);
    fputs(help_text, asked ? stdout : stderr);
    return asked ? 0 : EXIT_USAGE;
}
