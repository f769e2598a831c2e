/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/usage.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STAT_BYTES 4096

struct process {
    pid_t parent;
    unsigned long ticks;
};

/* /proc/PID/stat: "PID (name) state ppid ... utime stime": fields 4, 14 and 15 (proc(5)). */
static enum status read_process(pid_t pid, struct process *out)
{
    AUTO(buf_clear) struct buf stat = { 0 };
    char path[64];
    int parent = 0;
    unsigned long user = 0;
    unsigned long system = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    TRY(file_read(path, STAT_BYTES, &stat));
    const char *text = buf_text(&stat);
    const char *close = text ? strrchr(text, ')') : NULL;
    if (!close || sscanf(close + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &parent, &user, &system) != 3)
        return fail(FAULT, "%s is not as expected", path);
    out->parent = parent;
    out->ticks = user + system;
    return OK;
}

/* The supervisor starts a role as "musterd role NAME ...". */
enum status usage_find_supervisor(pid_t role, pid_t *out)
{
    static const char mark[] = "\0role";
    AUTO(buf_clear) struct buf words = { 0 };
    struct process process;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)role);
    TRY(file_read(path, STAT_BYTES, &words));
    TRY(read_process(role, &process));
    *out = memmem(words.ptr, words.len, mark, sizeof(mark)) ? process.parent : role;
    return OK;
}

enum status usage_cpu_us(pid_t supervisor, double *out)
{
    DIR *proc = opendir("/proc");
    unsigned long ticks = 0;
    const struct dirent *entry;

    if (!proc)
        return fail(FAULT, "/proc cannot be read");
    while ((entry = readdir(proc))) {
        struct process process;
        int64_t pid = 0;

        if (number_parse(entry->d_name, 1, INT32_MAX, &pid) != OK || read_process((pid_t)pid, &process) != OK)
            continue; /* not a process, or gone meanwhile */
        if (pid == supervisor || process.parent == supervisor)
            ticks += process.ticks;
    }
    closedir(proc);
    *out = (double)ticks * 1e6 / (double)sysconf(_SC_CLK_TCK);
    return OK;
}
