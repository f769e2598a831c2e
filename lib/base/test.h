/* SPDX-License-Identifier: Apache-2.0
 *
 * What every unit test includes: cmocka, without its fail() macro, which is our function's name.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#undef fail
