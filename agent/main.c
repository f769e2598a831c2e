/* SPDX-License-Identifier: Apache-2.0
 *
 * muster-agent: gets a device its certificate.
 */
#include "agent/enrol.h"
#include "agent/options.h"
#include "lib/base/log.h"
#include "lib/profile/profile.h"

#include <signal.h>
#include <sys/stat.h>

static enum status show(const struct options *options)
{
    AUTO(profile_clear) struct profile profile = { 0 };

    if (options->name)
        return enrol_show(options->store, options->name, options->json);
    TRY(profile_load(options->profile, &profile));
    return enrol_show(options->store, profile.name, options->json);
}

static enum status run(const struct options *options)
{
    const struct enrol_options enrol = { options->profile, options->store, options->json };

    switch (options->command) {
    case OPTIONS_NONE:
        return OK;
    case OPTIONS_ENROL:
        return enrol_run(&enrol);
    case OPTIONS_SHOW:
        return show(options);
    }
    return FAULT;
}

int main(int argc, char **argv)
{
    struct options options;

    if (options_parse(argc - 1, argv + 1, &options) != OK) {
        fprintf(stderr, "muster-agent: %s\nmuster-agent --help tells more\n", fail_text());
        return EXIT_USAGE;
    }
    if (options.version) {
        puts("muster-agent " MUSTER_VERSION);
        return 0;
    }
    if (options.help) {
        options_print_help(stdout);
        return 0;
    }
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    log_init("muster-agent", options.verbose ? LOG_INFO : LOG_WARNING);
    const enum status status = run(&options);
    if (status != OK)
        fprintf(stderr, "muster-agent: %s\n", fail_text());
    return status_exit_code(status);
}
