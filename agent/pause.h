/* SPDX-License-Identifier: Apache-2.0
 *
 * Resting.  A file of its own, so that a test can put another in its place whose time flies.
 */
#pragma once

/* Return after so many milliseconds, whatever signals come meanwhile. */
void pause_ms(unsigned ms);
