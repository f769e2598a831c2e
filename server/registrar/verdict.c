/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/verdict.h"

#include "lib/scep/scep.h"

#include <stdarg.h>
#include <stdio.h>

void verdict_clear(struct verdict *verdict)
{
    buf_clear(&verdict->certificate);
    buf_clear(&verdict->password);
    intent_free(verdict->intent);
    verdict->intent = NULL;
}

/* A FAULT is ours and not a verdict: whoever gets one ends. */
static enum status set_refusal(struct verdict *verdict, enum status kind)
{
    verdict->kind = VERDICT_REFUSE;
    verdict->status = kind;
    verdict->fail_info = kind == BAD_PROOF ? SCEP_BAD_MESSAGE_CHECK : SCEP_BAD_REQUEST;
    return kind;
}

/* failInfoText is UTF8String: a text cut in the middle of a character would be none. */
static void set_text(struct verdict *verdict, const char *text)
{
    snprintf(verdict->text, sizeof verdict->text, "%.*s", (int)sizeof verdict->text - 1, text);
    for (char *c = verdict->text; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
}

enum status refuse(struct verdict *verdict, enum status kind, const char *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(verdict->reason, sizeof verdict->reason, format, arguments);
    va_end(arguments);
    set_text(verdict, text);
    return set_refusal(verdict, kind);
}

enum status refuse_openly(struct verdict *verdict, enum status kind, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(verdict->reason, sizeof verdict->reason, format, arguments);
    va_end(arguments);
    set_text(verdict, verdict->reason);
    return set_refusal(verdict, kind);
}
