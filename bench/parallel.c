/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/parallel.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 64u

unsigned parallel_cores(void)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (cores < 1)
        return 1;
    return cores > (long)PROCESSES_MAX ? PROCESSES_MAX : (unsigned)cores;
}

void *parallel_memory_new(size_t bytes)
{
    void *memory = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void parallel_memory_free(void *memory, size_t bytes)
{
    if (memory)
        munmap(memory, bytes ? bytes : 1);
}

/* Items are dealt out like cards, so that every process gets as many of each sort. */
static int run_share(unsigned first, unsigned step, size_t count, parallel_work *work, void *context)
{
    for (size_t item = first; item < count; item += step)
        if (work(context, item) != OK) {
            fprintf(stderr, "muster-bench: item %zu: %s\n", item, fail_text());
            return 1;
        }
    return 0;
}

static enum status wait_for_all(const pid_t *pids, unsigned started)
{
    unsigned failed = 0;

    for (unsigned i = 0; i < started; i++) {
        int how = 0;

        while (waitpid(pids[i], &how, 0) < 0 && errno == EINTR)
            ;
        if (how != 0)
            failed++;
    }
    return failed ? fail(FAULT, "%u of %u working processes failed", failed, started) : OK;
}

enum status parallel_run(unsigned processes, size_t count, parallel_work *work, void *context)
{
    pid_t pids[PROCESSES_MAX];
    unsigned started = 0;

    fflush(NULL);
    if (processes > PROCESSES_MAX)
        processes = PROCESSES_MAX;
    while (started < processes && started < count) {
        const pid_t pid = fork();

        if (pid < 0)
            break;
        if (pid == 0)
            _exit(run_share(started, processes, count, work, context));
        pids[started++] = pid;
    }
    TRY(wait_for_all(pids, started));
    if (started < processes && started < count)
        return fail(FAULT, "cannot start a process: %s", strerror(errno));
    return OK;
}
