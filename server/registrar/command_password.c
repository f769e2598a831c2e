/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/command.h"

#include "lib/base/clock.h"

#include <stdio.h>

#define LIFETIME_MOST_S (INT64_C(10) * 366 * 86400)

/* Fills `password`, generated or chosen, and what is kept of it. */
static enum status make_password(const struct call *call, const struct store_device *device,
                                 char password[STORE_USERNAME_BYTES], struct store_credential *credential)
{
    const struct credential_key *key = &call->registrar->rules.key;
    const char *chosen = NULL;
    enum credential_kind kind = CREDENTIAL_GENERATED;

    TRY(argument_text(call, "password", false, &chosen));
    if (!chosen) {
        TRY(credential_generate(password));
    } else if (strlen(chosen) < CREDENTIAL_CHOSEN_LEAST || strlen(chosen) >= STORE_USERNAME_BYTES - 1) {
        return fail(BAD_INPUT, "a chosen password has %d to %d bytes; leave it out to have one generated",
                    CREDENTIAL_CHOSEN_LEAST, STORE_USERNAME_BYTES - 2);
    } else {
        kind = CREDENTIAL_CHOSEN;
        snprintf(password, STORE_USERNAME_BYTES, "%s", chosen);
    }
    return credential_make(key, kind, span_of_text(device->username), span_of_text(password), credential);
}

static enum status issue(struct call *call, const struct store_device *device, char password[STORE_USERNAME_BYTES])
{
    struct store *store = call->registrar->store;
    struct store_credential credential = { .made_s = call->now_s };
    const struct note note = { .kind = "password-issued", .device = device->name };
    char when[CLOCK_TEXT_BYTES];
    int64_t lifetime_s = 0;

    TRY(argument_truth(call, "lasting", &credential.lasting));
    TRY(argument_number(call, "lifetime_s", 1, call->registrar->rules.config->password_lifetime_s, &lifetime_s));
    if (lifetime_s > LIFETIME_MOST_S)
        return fail(BAD_INPUT, "\"lifetime_s\" is more than ten years");
    TRY(make_password(call, device, password, &credential));
    credential.expires_s = call->now_s + lifetime_s;
    clock_format_utc(credential.expires_s, when);
    TRY(store_credential_put(store, device->id, &credential));
    TRY(note_event(store, call->now_s, &note, "%s, good %suntil %s",
                   credential.kind == CREDENTIAL_CHOSEN ? "chosen by the operator" : "generated",
                   credential.lasting ? "for any number of certificates " : "", when));
    call->answer = json_pack("{s:s, s:s, s:s, s:b, s:I}", "device", device->name, "username", device->username, "password",
                             password, "lasting", credential.lasting, "expires_s", (json_int_t)credential.expires_s);
    return call->answer ? OK : fail(BAD_INPUT, "the password is not UTF-8");
}

enum status command_password_issue(struct call *call)
{
    struct store_device device;
    char password[STORE_USERNAME_BYTES] = "";

    TRY(argument_device(call, "device", &device));
    if (device.state == DEVICE_REMOVED)
        return fail(REFUSED, "device \"%s\" was removed; add it again first (`muster device add`)", device.name);
    const enum status status = issue(call, &device, password);
    explicit_bzero(password, sizeof password);
    return status;
}

enum status command_password_unlock(struct call *call)
{
    const struct rules *rules = &call->registrar->rules;
    struct store *store = call->registrar->store;
    struct store_device device;

    TRY(argument_device(call, "device", &device));
    const struct note note = { .kind = "password-unlocked", .device = device.name };
    const int64_t tries = device.credential.wrong_tries;
    if (device.credential.kind == 0 || tries < rules->config->password_tries)
        return fail(REFUSED, "device \"%s\" is not locked: %lld wrong passwords of %u", device.name, (long long)tries,
                    rules->config->password_tries);
    TRY(store_credential_unlock(store, device.id));
    TRY(note_event(store, call->now_s, &note, "after %lld wrong passwords; the password stays as it was",
                   (long long)tries));
    TRY(store_device_find_name(store, span_of_text(device.name), &device));
    call->answer = json_pack("{s:o}", "device", view_device(rules, &device, call->now_s));
    return call->answer ? OK : fail(FAULT, "no memory for an answer");
}
