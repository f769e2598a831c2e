/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/method.h"

static const struct method *const methods[] = { &method_scep };

const struct method *method_find(const char *protocol)
{
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (strcmp(methods[i]->name, protocol) == 0)
            return methods[i];
    return NULL;
}
