/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jail/jail.h"

#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A sanitizer's run-time makes system calls of its own; such a build is for tests, not for service. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static char description[128] = "no jail";

const char *jail_describe(void)
{
    return description;
}

bool jail_has_seccomp(void)
{
    return !SANITIZED;
}

/* --- Who we are ------------------------------------------------------------ */

static enum status forbid_dumps(void)
{
    const struct rlimit none = { 0, 0 };

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        return fail(FAULT, "jail: cannot forbid core dumps: %s", strerror(errno));
    return OK;
}

static enum status change_user(unsigned uid)
{
    if (uid == 0 || geteuid() != 0)
        return OK;
    if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
        return fail(FAULT, "jail: cannot become uid %u: %s", uid, strerror(errno));
    /* The kernel forgets both when the user changes: no dumps, and to end with the supervisor. */
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return fail(FAULT, "jail: cannot forbid core dumps: %s", strerror(errno));
    return OK;
}

/* --- Files: Landlock -------------------------------------------------------- */

#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LANDLOCK_WRITE                                                                           \
    (LANDLOCK_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |            \
     LANDLOCK_ACCESS_FS_MAKE_REG)
#define LANDLOCK_ALL ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) /* everything ABI 1 can govern */

static enum status landlock_add(int ruleset, const char *path, uint64_t access)
{
    struct stat about;
    AUTO(fd_closep) int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &about) != 0)
        return fail(FAULT, "jail: %s: %s", path, strerror(errno));
    if (!S_ISDIR(about.st_mode))
        access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
    const struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        return fail(FAULT, "jail: landlock rule for %s: %s", path, strerror(errno));
    return OK;
}

/* The rules are made while we still are who can reach the places, whatever lies above them.
 *   version   0 where the kernel has no Landlock
 *   ruleset   -1 then */
static enum status make_landlock(const struct jail *jail, long *version, int *ruleset)
{
    const struct landlock_ruleset_attr attributes = { .handled_access_fs = LANDLOCK_ALL };

    *version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (*version < 1) {
        *version = 0;
        return OK;
    }
    *ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (*ruleset < 0)
        return fail(FAULT, "jail: landlock: %s", strerror(errno));
    for (size_t i = 0; i < jail->writable_count; i++)
        TRY(landlock_add(*ruleset, jail->writable[i], LANDLOCK_WRITE));
    for (size_t i = 0; i < jail->readable_count; i++)
        TRY(landlock_add(*ruleset, jail->readable[i], LANDLOCK_READ));
    return OK;
}

static enum status enter_landlock(int ruleset)
{
    if (ruleset >= 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        return fail(FAULT, "jail: landlock: %s", strerror(errno));
    return OK;
}

/* --- System calls: seccomp --------------------------------------------------- */

/* What every role of the dull kind needs: memory, time, its channels, its end. */
static const int calls_common[] = {
    SCMP_SYS(read),          SCMP_SYS(write),         SCMP_SYS(close),          SCMP_SYS(poll),
    SCMP_SYS(ppoll),         SCMP_SYS(recvmsg),       SCMP_SYS(sendto),         SCMP_SYS(sendmsg),
    SCMP_SYS(fcntl),         SCMP_SYS(mmap),          SCMP_SYS(munmap),         SCMP_SYS(mremap),
    SCMP_SYS(mprotect),      SCMP_SYS(brk),           SCMP_SYS(madvise),        SCMP_SYS(futex),
    SCMP_SYS(getrandom),     SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),   SCMP_SYS(getpid),
    SCMP_SYS(rt_sigaction),  SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),  SCMP_SYS(restart_syscall),
    SCMP_SYS(openat),        SCMP_SYS(newfstatat),    SCMP_SYS(fstat),          SCMP_SYS(lseek),
    SCMP_SYS(fsync),         SCMP_SYS(fdatasync),     SCMP_SYS(exit_group),     SCMP_SYS(exit),
};

static const int calls_signer[] = {
    SCMP_SYS(pread64), SCMP_SYS(writev), SCMP_SYS(pwritev), SCMP_SYS(fallocate), SCMP_SYS(ftruncate), SCMP_SYS(getdents64),
};

/* SQLite's and the control socket's. */
static const int calls_registrar[] = {
    SCMP_SYS(pread64),  SCMP_SYS(pwrite64),  SCMP_SYS(ftruncate), SCMP_SYS(fallocate),  SCMP_SYS(unlink),
    SCMP_SYS(access),   SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(stat),      SCMP_SYS(lstat),
    SCMP_SYS(statx),    SCMP_SYS(getcwd),    SCMP_SYS(readlink),  SCMP_SYS(geteuid),    SCMP_SYS(fchown),
    SCMP_SYS(fchmod),   SCMP_SYS(utimensat), SCMP_SYS(accept4),   SCMP_SYS(accept),     SCMP_SYS(getsockopt),
    SCMP_SYS(sysinfo),  SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(prlimit64), SCMP_SYS(getuid),
};

/* What nobody who reads hostile bytes has any business with. */
static const int calls_denied[] = {
    SCMP_SYS(execve),        SCMP_SYS(execveat),      SCMP_SYS(fork),           SCMP_SYS(vfork),
    SCMP_SYS(ptrace),        SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(mount),
    SCMP_SYS(umount2),       SCMP_SYS(pivot_root),    SCMP_SYS(chroot),         SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(keyctl),      SCMP_SYS(add_key),        SCMP_SYS(request_key),
    SCMP_SYS(init_module),   SCMP_SYS(finit_module),  SCMP_SYS(delete_module),  SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load), SCMP_SYS(reboot),      SCMP_SYS(swapon),         SCMP_SYS(swapoff),
    SCMP_SYS(setns),         SCMP_SYS(unshare),       SCMP_SYS(userfaultfd),    SCMP_SYS(io_uring_setup),
    SCMP_SYS(open_by_handle_at), SCMP_SYS(setuid),    SCMP_SYS(setgid),         SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),     SCMP_SYS(chmod),         SCMP_SYS(fchmodat),       SCMP_SYS(chown),
    SCMP_SYS(mknod),         SCMP_SYS(mknodat),       SCMP_SYS(link),           SCMP_SYS(linkat),
    SCMP_SYS(symlink),       SCMP_SYS(symlinkat),     SCMP_SYS(kill),           SCMP_SYS(tkill),
    SCMP_SYS(settimeofday),  SCMP_SYS(clock_settime), SCMP_SYS(acct),           SCMP_SYS(personality),
};

struct call_set {
    const int *calls;
    size_t count;
};

/* Each kind: what a call in the sets means, and what any other means. */
static const struct seccomp_rules {
    const char *name;
    uint32_t in_sets;
    uint32_t otherwise;
    struct call_set sets[2];
} rules[] = {
    [JAIL_RESPONDER] = { "deny-list", SCMP_ACT_KILL_PROCESS, SCMP_ACT_ALLOW, { { calls_denied, COUNT_OF(calls_denied) } } },
    [JAIL_REGISTRAR] = { "allow-list",
                         SCMP_ACT_ALLOW,
                         SCMP_ACT_KILL_PROCESS,
                         { { calls_common, COUNT_OF(calls_common) }, { calls_registrar, COUNT_OF(calls_registrar) } } },
    [JAIL_SIGNER] = { "allow-list",
                      SCMP_ACT_ALLOW,
                      SCMP_ACT_KILL_PROCESS,
                      { { calls_common, COUNT_OF(calls_common) }, { calls_signer, COUNT_OF(calls_signer) } } },
};

static void seccomp_releasep(scmp_filter_ctx *filter)
{
    if (*filter)
        seccomp_release(*filter);
}

static enum status enter_seccomp(enum jail_kind kind, size_t *count)
{
    const struct seccomp_rules *r = &rules[kind];
    AUTO(seccomp_releasep) scmp_filter_ctx filter = seccomp_init(r->otherwise);

    if (!filter)
        return fail(FAULT, "jail: seccomp: no memory");
    for (size_t s = 0; s < COUNT_OF(r->sets); s++) {
        for (size_t i = 0; i < r->sets[s].count; i++) {
            const int error = seccomp_rule_add(filter, r->in_sets, r->sets[s].calls[i], 0);
            if (error)
                return fail(FAULT, "jail: seccomp: %s", strerror(-error));
            ++*count;
        }
    }
    const int error = seccomp_load(filter);
    return error ? fail(FAULT, "jail: seccomp: %s", strerror(-error)) : OK;
}

enum status jail_enter(const struct jail *jail)
{
    long landlock = 0;
    size_t calls = 0;
    AUTO(fd_closep) int ruleset = -1;

    TRY(forbid_dumps());
    TRY(make_landlock(jail, &landlock, &ruleset));
    TRY(change_user(jail->uid));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail(FAULT, "jail: cannot forbid new privileges: %s", strerror(errno));
    TRY(enter_landlock(ruleset));
    const unsigned uid = (unsigned)geteuid(); /* asked before the filter, which may not let us */
    if (!SANITIZED)
        TRY(enter_seccomp(jail->kind, &calls));
    snprintf(description, sizeof description, "uid %u, landlock %s%.0ld, seccomp %s of %zu calls", uid,
             landlock ? "ABI " : "absent", landlock, SANITIZED ? "off (sanitizer build)," : rules[jail->kind].name, calls);
    return OK;
}
