/* Scores as a list, which servers from 4.59 on take at /api/public/scores. Each is the body of the event that the batch endpoint
 * takes, with its time inside: so a batch can go to either endpoint. An event may have another time for lists in its metadata.
 */
#include "../base/json.h"
#include "wire.h"

static lf__text wire_list_member(lf__text object, const char *key)
{
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(object.at, object.size, &at, &member);)
        if (lf__json_is(member.key, member.key_size, key))
            return (lf__text){member.value, member.value_size};
    return (lf__text){"", 0};
}

static void wire_list_add(lf__buf *out, lf__text event)
{
    lf__text body = wire_list_member(event, "body"), time = wire_list_member(wire_list_member(event, "metadata"), "timestamp");
    if (time.size == 0)
        time = wire_list_member(event, "timestamp");
    if (body.size < 2)
        return;
    lf__buf_add(out, body.at, body.size - 1);
    LF__BUF_ADD(out, ",\"timestamp\":");
    lf__buf_add(out, time.at, time.size);
    lf__buf_add_char(out, '}');
}

bool lf__wire_list(lf__buf *out, const lf__buf *items)
{
    lf__buf_add_char(out, '[');
    for (const char *at = items->data, *end = at + items->length; at < end; at++) {
        const char *event = at;
        at = lf__json_value_end(event, end);
        lf__buf_add(out, ",", !out->failed && out->length > 1);
        wire_list_add(out, (lf__text){event, lf__bytes_to(at, event)});
    }
    return lf__buf_add_char(out, ']');
}
