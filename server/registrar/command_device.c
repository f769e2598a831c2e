/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/command.h"

#include <stdio.h>

/* --- device.add ---------------------------------------------------------------------- */

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* No character that means something in a name's text, a shell, or an address. */
static enum status check_name(const char *what, const char *name, const char *allowed, const char *described,
                              size_t most)
{
    const size_t len = strlen(name);

    if (len <= most && strspn(name, allowed) == len && strspn(name, LETTERS_AND_DIGITS) > 0)
        return OK;
    return fail(BAD_INPUT, "%s \"%s\": expected 1 to %zu characters, a letter or digit first, then letters, digits and %s",
                what, name, most, described);
}

/* The path that was named, or the first one that gives out certificates of the template. */
static enum status choose_path(const struct config *config, const char *named, const struct template *template,
                               const struct config_path **out)
{
    const size_t wanted = (size_t)(template - config->templates);

    for (size_t p = 0; p < config->paths_count; p++) {
        const struct config_path *path = &config->paths[p];
        if (named && strcmp(named, path->name) != 0)
            continue;
        for (size_t i = 0; i < path->templates_count; i++) {
            if (path->templates[i] == wanted) {
                *out = path;
                return OK;
            }
        }
        if (named)
            return fail(BAD_INPUT, "path \"%s\" does not give out certificates of template \"%s\"; `muster status` "
                        "shows which do", named, template->name);
    }
    if (named)
        return fail(BAD_INPUT, "there is no path \"%s\"; `muster status` lists them", named);
    return fail(BAD_INPUT, "no path gives out certificates of template \"%s\"; add it to one in " CONFIG_FILE,
                template->name);
}

/* Would a device of this name ever get a certificate?  Better said now than at its first request. */
static enum status check_certificate_names(const struct rules *rules, const struct config_path *path,
                                           const struct template *template, const struct store_device *device)
{
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf san = { 0 };

    enum status status = template_expand_names(template, device->name, device->username, &subject, &san);
    if (status == OK)
        status = name_constraints_check(rules->authorities[path->authority].constraints, buf_span(&subject), buf_span(&san));
    return status == OK || status == FAULT
               ? status
               : fail_in(BAD_INPUT, "device \"%s\" could not get a certificate under this name", device->name);
}

static enum status read_device(const struct call *call, struct store_device *device)
{
    const struct config *config = call->registrar->rules.config;
    const char *name = NULL, *template_name = NULL, *path_name = NULL, *username = NULL;
    const struct config_path *path = NULL;

    TRY(argument_text(call, "name", true, &name));
    TRY(argument_text(call, "template", true, &template_name));
    TRY(argument_text(call, "path", false, &path_name));
    TRY(argument_text(call, "username", false, &username));
    username = username ? username : name;
    TRY(check_name("device name", name, LETTERS_AND_DIGITS "._-:@", "._-:@", STORE_NAME_BYTES - 1));
    TRY(check_name("username", username, LETTERS_AND_DIGITS "._-:@/", "._-:@/", STORE_USERNAME_BYTES - 2));
    const struct template *template = config_find_template(config, span_of_text(template_name));
    if (!template)
        return fail(BAD_INPUT, "there is no template \"%s\"; `muster status` lists them", template_name);
    TRY(choose_path(config, path_name, template, &path));
    *device = (struct store_device){ .state = DEVICE_ACTIVE, .added_s = call->now_s };
    snprintf(device->name, sizeof device->name, "%s", name);
    snprintf(device->username, sizeof device->username, "%s", username);
    snprintf(device->template, sizeof device->template, "%s", template->name);
    snprintf(device->path, sizeof device->path, "%s", path->name);
    return check_certificate_names(&call->registrar->rules, path, template, device);
}

static enum status answer_with_profile(struct call *call, const struct store_device *device, json_t *certificates)
{
    const struct rules *rules = &call->registrar->rules;
    json_t *profile = NULL;

    /* A device whose path is no longer configured can still be shown. */
    if (view_profile(rules, device, &profile) != OK)
        profile = json_null();
    call->answer = json_pack("{s:o, s:o*, s:o}", "device", view_device(rules, device, call->now_s), "certificates",
                             certificates, "profile", profile);
    return call->answer ? OK : fail(FAULT, "no memory for an answer");
}

enum status command_device_add(struct call *call)
{
    struct registrar *registrar = call->registrar;
    struct store_device device;

    TRY(read_device(call, &device));
    TRY(store_device_add(registrar->store, &device));
    const struct note note = { .kind = "device-added", .device = device.name, .path = device.path };
    TRY(note_event(registrar->store, call->now_s, &note, "template %s, username %s", device.template,
                   device.username));
    return answer_with_profile(call, &device, NULL);
}

/* --- device.list ---------------------------------------------------------------------- */

struct device_page {
    const struct registrar *registrar;
    struct listing *listing;
    int64_t now_s;
    unsigned rows;
};

static enum status send_device(void *context, const struct store_device *device)
{
    struct device_page *page = context;
    struct listing *listing = page->listing;

    page->rows++;
    listing->left--;
    snprintf(listing->after_name, sizeof listing->after_name, "%s", device->name);
    return listing->send_row(listing->context, view_device(&page->registrar->rules, device, page->now_s));
}

static enum status page_devices(const struct registrar *registrar, struct listing *listing, int64_t now_s)
{
    struct device_page page = { .registrar = registrar, .listing = listing, .now_s = now_s };
    const unsigned limit = listing->left < LISTING_PAGE_ROWS ? (unsigned)listing->left : LISTING_PAGE_ROWS;

    TRY(store_device_page(registrar->store, listing->after_name, listing->template, limit, send_device, &page));
    listing->ended = page.rows < limit || listing->left == 0;
    return OK;
}

enum status command_device_list(struct call *call)
{
    struct listing *listing = &call->listing;
    const char *template = NULL, *after = NULL;

    TRY(argument_text(call, "template", false, &template));
    TRY(argument_text(call, "after", false, &after));
    TRY(argument_number(call, "limit", 1, INT64_MAX, &listing->left));
    if (template && !config_find_template(call->registrar->rules.config, span_of_text(template)))
        return fail(BAD_INPUT, "there is no template \"%s\"; `muster status` lists them", template);
    if (after)
        TRY(span_to_text(span_of_text(after), listing->after_name, sizeof listing->after_name));
    snprintf(listing->template, sizeof listing->template, "%s", template ? template : "");
    listing->page = page_devices;
    return OK;
}

/* --- device.show, device.remove ---------------------------------------------------------- */

/* As many as surely fit in one answer; certificate.list shows all of them. */
#define SHOWN_CERTIFICATES_MAX 40

struct shown {
    json_t *certificates;
    int64_t now_s;
};

static enum status show_certificate(void *context, const struct store_certificate *certificate)
{
    const struct shown *shown = context;

    if (json_array_size(shown->certificates) == SHOWN_CERTIFICATES_MAX)
        json_array_remove(shown->certificates, 0);
    return json_array_append_new(shown->certificates, view_certificate(certificate, shown->now_s, false)) == 0
               ? OK
               : fail(FAULT, "no memory for an answer");
}

enum status command_device_show(struct call *call)
{
    struct store_device device;

    TRY(argument_device(call, "name", &device));
    struct shown shown = { .certificates = json_array(), .now_s = call->now_s };
    const enum status status = store_certificate_page(call->registrar->store, 0, device.id, UINT32_MAX,
                                                      show_certificate, &shown);
    if (status == OK)
        return answer_with_profile(call, &device, shown.certificates);
    json_decref(shown.certificates);
    return status;
}

enum status command_device_remove(struct call *call)
{
    struct registrar *registrar = call->registrar;
    struct store_device device;

    TRY(argument_device(call, "name", &device));
    if (device.state == DEVICE_REMOVED)
        return fail(REFUSED, "device \"%s\" was removed already", device.name);
    TRY(store_device_remove(registrar->store, device.id));
    const struct note note = { .kind = "device-removed", .device = device.name };
    TRY(note_event(registrar->store, call->now_s, &note, "%lld certificates stay as they are",
                   (long long)device.certificates_count));
    TRY(store_device_find_name(registrar->store, span_of_text(device.name), &device));
    call->answer = json_pack("{s:o}", "device", view_device(&registrar->rules, &device, call->now_s));
    return call->answer ? OK : fail(FAULT, "no memory for an answer");
}
