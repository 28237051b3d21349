/* Scores as a list, which servers from 4.59 on take at /api/public/scores. Each is the body of the event that the batch endpoint
 * takes, with its time inside: so a batch can go to either endpoint.
 */
#include "../base/json.h"
#include "wire.h"

static void wire_list_add(lf__buf *out, const char *event, size_t size)
{
    lf__json_member member, body = {0}, time = {0};
    for (size_t at = 0; lf__json_next_member(event, size, &at, &member);) {
        body = lf__json_is(member.key, member.key_size, "body") ? member : body;
        time = lf__json_is(member.key, member.key_size, "timestamp") ? member : time;
    }
    if (body.value_size < 2)
        return;
    lf__buf_add(out, body.value, body.value_size - 1);
    LF__BUF_ADD(out, ",\"timestamp\":");
    lf__buf_add(out, time.value, time.value_size);
    lf__buf_add_char(out, '}');
}

bool lf__wire_list(lf__buf *out, const lf__buf *items)
{
    lf__buf_add_char(out, '[');
    for (const char *at = items->data, *end = at + items->length; at < end; at++) {
        const char *event = at;
        at = lf__json_value_end(event, end);
        lf__buf_add(out, ",", !out->failed && out->length > 1);
        wire_list_add(out, event, lf__bytes_to(at, event));
    }
    return lf__buf_add_char(out, ']');
}
