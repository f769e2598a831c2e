/* SPDX-License-Identifier: Apache-2.0
 *
 * The responder: the role that devices talk to.  It reads HTTP and SCEP, opens and proves what it
 * is sent with the RA's keys, asks the registrar, and wraps the answer.  It decides nothing about
 * who may have a certificate, and sees neither the database nor a CA key.
 */
#pragma once

#include "server/role.h"

/* Run until the supervisor goes away.  Returns the process's exit code. */
int responder_main(const struct role *role);
