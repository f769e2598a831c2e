/* SPDX-License-Identifier: Apache-2.0
 *
 * One enrolment, from a profile to an installed certificate, as a row of steps.  Each can be run again
 * after a power cut, so that they can become the commands of the device's state machine.
 */
#pragma once

#include "lib/base/status.h"

struct enrol_options {
    const char *profile; /* the profile's file */
    const char *store;   /* the folder of all profiles */
    bool json;
};

/* Enrol and print the credential.
 *
 * PENDING    the server decides later, and the profile's deadline for asking has passed: run it again
 * REFUSED    the server proved who it is and says no     BAD_PROOF  somebody or something is not proved
 * FAULT      disk or network: run it again, the same request is sent again */
MUST_USE enum status enrol_run(const struct enrol_options *options);

/* Print the current credential of a profile of this name. */
MUST_USE enum status enrol_show(const char *store, const char *name, bool json);
