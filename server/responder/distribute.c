/* SPDX-License-Identifier: Apache-2.0 */
#include "server/responder/distribute.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#define IDENTIFIER_BYTES 256
#define CA_DIRECTORY "authority"

/* --- GetCACert ---------------------------------------------------------- */

static bool is_number(const char *text)
{
    return strspn(text, "0123456789") == strlen(text);
}

/* What clients send when they have nothing to say, and names for everything together. */
static bool means_all(const struct endpoint *endpoint, const char *identifier)
{
    const char *authority = endpoint->config->authorities[endpoint->path->authority].name;

    return is_number(identifier) || strcasecmp(identifier, "CAIdentifier") == 0 ||
           strcasecmp(identifier, endpoint->path->name) == 0 || strcasecmp(identifier, authority) == 0;
}

static const struct endpoint_level *find_level(const struct endpoint *endpoint, const char *identifier)
{
    for (size_t i = 0; i < endpoint->levels_count; i++) {
        const struct endpoint_level *level = &endpoint->levels[i];
        char number[32];
        snprintf(number, sizeof number, "level-%zu", i);
        if (strcasecmp(identifier, number) == 0 || (level->is_root && strcasecmp(identifier, "root") == 0) ||
            (level->common_name[0] && strcasecmp(identifier, level->common_name) == 0))
            return level;
    }
    return NULL;
}

static enum status explain_identifiers(const struct endpoint *endpoint)
{
    char text[512];
    size_t used = 0;

    for (size_t i = 0; i < endpoint->levels_count && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, ", level-%zu (%s)", i,
                                 endpoint->levels[i].common_name);
    return fail(BAD_INPUT, "no CA certificate goes by that identifier; there are: %s (everything), root%s",
                endpoint->path->name, text);
}

/* A '+' may stand for the blank that a common name holds. */
static void plus_to_blank(char *text)
{
    for (; *text; text++)
        if (*text == '+')
            *text = ' ';
}

enum status distribute_ca_cert(const struct endpoint *endpoint, struct span identifier,
                               struct http_response *out)
{
    const struct endpoint_level *level = NULL;
    char text[IDENTIFIER_BYTES];

    if (span_to_text(identifier, text, sizeof text) != OK)
        return explain_identifiers(endpoint);
    out->status = 200;
    if (means_all(endpoint, text)) {
        out->content_type = "application/x-x509-ca-ra-cert";
        out->body = buf_span(&endpoint->bundle);
        return OK;
    }
    level = find_level(endpoint, text);
    if (!level) {
        plus_to_blank(text);
        level = find_level(endpoint, text);
    }
    if (!level)
        return explain_identifiers(endpoint);
    out->content_type = "application/x-x509-ca-cert";
    out->body = level->der;
    return OK;
}

/* --- Files -------------------------------------------------------------- */

void ca_files_clear(struct ca_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        cert_free(files->items[i].cert);
    files->count = 0;
}

static enum status load_file(const char *directory, const char *name, struct ca_files *out)
{
    struct ca_file *file = &out->items[out->count];
    char path[PATH_MAX];

    if (out->count == CA_FILES_MAX)
        return fail(BAD_INPUT, "%s: more than %d authorities", directory, CA_FILES_MAX);
    const int n = snprintf(path, sizeof path, "%s/%s/cert.pem", directory, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return fail(BAD_INPUT, "%s/%s: a path too long", directory, name);
    if (access(path, F_OK) != 0)
        return OK;
    TRY(span_to_text(span_of_text(name), file->name, sizeof file->name));
    TRY(cert_load(path, &file->cert));
    out->count++;
    return OK;
}

enum status ca_files_load(const struct config *config, struct ca_files *out)
{
    char directory[PATH_MAX];
    enum status status = OK;

    TRY(config_absolute(config, CA_DIRECTORY, directory));
    DIR *listing = opendir(directory);
    if (!listing)
        return errno == ENOENT ? OK : fail(FAULT, "%s: %s", directory, strerror(errno));
    for (const struct dirent *entry = readdir(listing); entry && status == OK; entry = readdir(listing))
        if (entry->d_name[0] != '.')
            status = load_file(directory, entry->d_name, out);
    closedir(listing);
    return status;
}

struct span ca_files_find(const struct ca_files *files, struct span name)
{
    for (size_t i = 0; i < files->count; i++)
        if (span_equal(name, span_of_text(files->items[i].name)))
            return cert_get_der(files->items[i].cert);
    return span_of(NULL, 0);
}
