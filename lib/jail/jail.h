/* SPDX-License-Identifier: Apache-2.0
 *
 * Giving rights away, after everything needed has been opened.
 *
 * In this order: no core dumps and no ptrace, own uid and gid (when started as root), no new
 * privileges, Landlock for files, seccomp for system calls.  Where the kernel lacks Landlock the
 * log says so; everything else missing is a FAULT.
 */
#pragma once

#include "lib/base/span.h"

enum jail_kind {
    JAIL_RESPONDER, /* deny-list: no exec, ptrace, mount, bpf, ...; resolvers and TLS may need surprises */
    JAIL_REGISTRAR, /* allow-list; files below its directory; a listening unix socket it already has */
    JAIL_SIGNER,    /* allow-list; files below its directory; no socket can be made */
};

struct jail {
    enum jail_kind kind;
    unsigned uid;                   /* 0: stay who we are */
    const char *const *writable;    /* directories that stay readable and writable */
    size_t writable_count;
    const char *const *readable;    /* files or directories that stay readable */
    size_t readable_count;
};

/* Enter; there is no way out.  FAULT with the step that failed: the caller ends. */
MUST_USE enum status jail_enter(const struct jail *jail);

/* One line for the log: what is in force ("uid 64702, landlock 4, seccomp allow-list of 41"). */
const char *jail_describe(void);

/* False in builds with a sanitizer, whose run-time needs system calls of its own; they are for tests only. */
bool jail_has_seccomp(void);
