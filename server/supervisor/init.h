/* SPDX-License-Identifier: Apache-2.0
 *
 * musterd init DIR: make a hierarchy of authorities, the RA's certificates and a configuration.
 *
 * Knows: which certificates a new installation needs and where their files lie in DIR.  Everything
 * is made in memory first and musterd.conf is written last, so a DIR with a configuration is whole.
 * Never changes a DIR that has anything in it.
 */
#pragma once

/* Run the subcommand; argv[0] is "init".  Returns the exit code: EXIT_USAGE for a wrong option, else
 * status_exit_code(): REFUSED where DIR is not empty, FAULT where it cannot be written. */
int init_main(int argc, char **argv);
