/* SPDX-License-Identifier: Apache-2.0
 *
 * musterd init DIR: make a hierarchy of authorities, the RA's certificates and a configuration.
 *
 * Knows: which certificates a new installation needs and where their files lie in DIR.  Everything
 * is made in memory first and musterd.conf is written last, so a DIR with a configuration is whole.
 * Never changes a DIR that has anything in it.
 */
#pragma once

/* Run the subcommand; argv[0] is "init".  Returns the exit code: 0; 1 an option is wrong; otherwise
 * it failed as musterd's other commands do: 2 a value that cannot be used, 3 DIR is not empty, 5 a fault. */
int init_main(int argc, char **argv);
