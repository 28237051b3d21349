#include "verdict.h"

#include "../base/json.h"

#include <stdlib.h>

enum { VERDICT_EVENTS = 3 }; /* of one item */

typedef struct verdict_event {
    lf__json_member id;
    lf__json_member type;
    size_t item;
} verdict_event;

/* Ids are compared as they are written, with their quotes: ours have no character that could be written in two ways. */
static int verdict_compare(const void *a, const void *b)
{
    const lf__json_member *one = &((const verdict_event *)a)->id, *two = &((const verdict_event *)b)->id;
    if (one->value_size != two->value_size)
        return one->value_size < two->value_size ? -1 : 1;
    return memcmp(one->value, two->value, one->value_size);
}

/* Sorted by their ids. */
static size_t verdict_list_events(verdict_event *events, size_t room, const lf__buf *items, const uint32_t *ends)
{
    size_t count = 0, item = 0;
    for (const char *at = items->data, *end = at + items->length; at < end && count < room; at++) {
        verdict_event *event = &events[count];
        const char *begin = at;
        size_t from = 0;
        at = lf__json_value_end(begin, end);
        event->item = item;
        count += lf__json_next_member(begin, (size_t)(at - begin), &from, &event->id) &&
                 lf__json_next_member(begin, (size_t)(at - begin), &from, &event->type);
        item += (size_t)(at - items->data) == ends[item];
    }
    qsort(events, count, sizeof *events, verdict_compare);
    return count;
}

/* The status of one event, whose id is put out; 0: nothing is said. */
static long verdict_status(const lf__text *said, lf__json_member *out_id)
{
    lf__json_member member;
    long status = 0;
    *out_id = (lf__json_member){0};
    for (size_t at = 0; lf__json_next_member(said->at, said->size, &at, &member);) {
        if (member.key_size == 2 && memcmp(member.key, "id", 2) == 0)
            *out_id = member;
        else if (member.key_size == 6 && memcmp(member.key, "status", 6) == 0)
            status = strtol(member.value, NULL, 10);
    }
    return status;
}

/* A status below 400 refuses nothing. */
static void verdict_judge(unsigned char *verdicts, const verdict_event *events, size_t count, const lf__text *said, lf__tell *tell)
{
    verdict_event wanted;
    long status = verdict_status(said, &wanted.id);
    if (status < 400)
        return;
    const verdict_event *event = bsearch(&wanted, events, count, sizeof *events, verdict_compare);
    unsigned char verdict = status == 408 || status == 429 || status >= 500 ? LF__VERDICT_AGAIN : LF__VERDICT_REFUSED;
    if (event == NULL) {
        lf__log(&tell->config->logger, LF__LOG_DEBUG, "the server refuses an event that was not in the batch: HTTP %ld", status);
        return;
    }
    if (verdicts[event->item] < verdict)
        verdicts[event->item] = verdict;
    if (verdict == LF__VERDICT_REFUSED)
        lf__tell_event_refused(tell, &event->type, (int)status, said);
}

/* The answer is {"successes":[...],"errors":[...]}. Where it is cut, the last element reaches to its end. */
void lf__verdict_read(unsigned char *verdicts, const lf__buf *items, const uint32_t *ends, size_t count,
                      const lf__http_answer *answer, lf__tell *tell)
{
    verdict_event *events = lf__alloc(count * VERDICT_EVENTS * sizeof *events);
    size_t event_count = events == NULL ? 0 : verdict_list_events(events, count * VERDICT_EVENTS, items, ends);
    const char *end = answer->body + answer->body_size;
    bool any = false;
    lf__json_member list;
    lf__text said;
    for (size_t at = 0; event_count != 0 && lf__json_next_member(answer->body, answer->body_size, &at, &list);)
        for (size_t from = 0; lf__json_next_item(list.value, list.value_size, &from, &said) && said.at + said.size < end;) {
            verdict_judge(verdicts, events, event_count, &said, tell);
            any = true;
        }
    if (!any || answer->cut)
        lf__log(&tell->config->logger, LF__LOG_DEBUG,
                "an answer to %zu events could not be read to its end; the rest counts as delivered", event_count);
    lf__free(events);
}
