/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jail/priority.h"

#include <sched.h>
#include <sys/resource.h>

#define STEPS_AHEAD 2 /* of nice(2): half as much weight again; 5 measured worse (doc/adr/0009) */

void priority_set(enum priority priority)
{
    static const struct sched_param no_realtime = { 0 };

    switch (priority) {
    case PRIORITY_FIRST:
        (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) - STEPS_AHEAD);
        break;
    case PRIORITY_BATCH:
        (void)sched_setscheduler(0, SCHED_BATCH, &no_realtime);
        break;
    }
}
