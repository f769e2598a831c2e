/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char last_text[1024];

enum status fail(enum status kind, const char *format, ...)
{
    char text[sizeof last_text];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(last_text, text, sizeof text);
    return kind;
}

enum status fail_in(enum status kind, const char *format, ...)
{
    char text[2 * sizeof last_text + 2];
    va_list arguments;

    va_start(arguments, format);
    const int n = vsnprintf(text, sizeof last_text, format, arguments);
    va_end(arguments);
    const size_t used = n < 0 ? 0 : (size_t)n < sizeof last_text ? (size_t)n : sizeof last_text - 1;
    snprintf(text + used, sizeof text - used, ": %s", last_text);
    text[sizeof last_text - 1] = 0;
    memcpy(last_text, text, sizeof last_text);
    return kind;
}

const char *fail_text(void)
{
    return last_text;
}

const char *status_name(enum status kind)
{
    switch (kind) {
    case OK:
        return "ok";
    case PENDING:
        return "pending";
    case BAD_INPUT:
        return "bad-input";
    case BAD_PROOF:
        return "bad-proof";
    case REFUSED:
        return "refused";
    case FAULT:
        return "fault";
    }
    return "unknown";
}

int status_exit_code(enum status kind)
{
    static const int codes[] = { [OK] = 0, [BAD_INPUT] = 2, [REFUSED] = 3, [BAD_PROOF] = 4, [FAULT] = 5, [PENDING] = 6 };

    return codes[kind];
}
