/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/command.h"

struct event_page {
    struct listing *listing;
    unsigned rows;
};

static enum status send_event(void *context, const struct store_event *event)
{
    struct event_page *page = context;
    struct listing *listing = page->listing;

    page->rows++;
    listing->left--;
    listing->after = event->id;
    return listing->send_row(listing->context, view_event(event));
}

static enum status page_events(const struct registrar *registrar, struct listing *listing, int64_t now_s)
{
    struct event_page page = { .listing = listing };
    const unsigned limit = listing->left < LISTING_PAGE_ROWS ? (unsigned)listing->left : LISTING_PAGE_ROWS;

    (void)now_s;
    TRY(store_event_page(registrar->store, listing->after, limit, send_event, &page));
    listing->ended = listing->left == 0 || (page.rows < limit && !listing->follow);
    return OK;
}

enum status command_event_list(struct call *call)
{
    struct listing *listing = &call->listing;

    TRY(argument_truth(call, "follow", &listing->follow));
    TRY(argument_number(call, "after", 0, 0, &listing->after));
    TRY(argument_number(call, "limit", 1, INT64_MAX, &listing->left));
    listing->page = page_events;
    return OK;
}
