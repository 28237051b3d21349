#include "reply_state.h"

/* Events of a stream are mostly alike but for a word. All else that such an event says is set rather than added, so it need not be read
 * twice: its bytes are compared with those of the event before, and only the values in its holes are looked at.
 */

/* After so many misses in a row only one event in so many is learned: a server may say something new in each one. */
enum { ALIKE_MISSES = 32 };

/* Members of an event that say nothing, or nothing after the first one. */
static const lf__text alike_passing[] = {
    LF__TEXT("id"),          LF__TEXT("created"),        LF__TEXT("created_at"), LF__TEXT("tokens"), LF__TEXT("tokens_predicted"),
    LF__TEXT("obfuscation"), LF__TEXT("sequence_number")};

static bool alike_passes(lf__text key)
{
    for (size_t i = 0; i < sizeof alike_passing / sizeof *alike_passing; i++)
        if (lf__text_equals(key, alike_passing[i]))
            return true;
    return false;
}

/* Counts so far, which servers may repeat in every event; NULL: it is another member. */
static lf__buf *alike_counts(lf__reply *reply, lf__item member)
{
    lf__text key = lf__item_key(member);
    bool is_chat = reply->api == LF__API_CHAT || reply->api == LF__API_COMPLETION;
    const char *name = is_chat ? "usage" : reply->api == LF__API_GEMINI ? "usageMetadata" : "";
    return lf__item_begins(member) == '{' && lf__text_equals(key, lf__text_of(name)) ? &reply->usage : NULL;
}

static void alike_add_hole(lf__reply_alike *alike, lf__text event, lf__text value, lf__buf *to, bool is_piece)
{
    alike->holes[alike->count++] = (lf__reply_hole){(uint32_t)(value.at - event.at), (uint32_t)value.size, to, is_piece};
}

void lf__reply_learn(lf__reply *reply, lf__item event, lf__item piece, lf__buf *to)
{
    lf__reply_alike *alike = &reply->alike;
    lf__text text = lf__item_json(event), word = lf__item_json(piece);
    if (alike->misses >= ALIKE_MISSES && reply->events % ALIKE_MISSES != 0)
        return;
    alike->count = 0;
    lf__buf_clear(&alike->event);
    for (lf__item member = lf__item_first(event); lf__item_is(member); member = lf__item_next(event, member)) {
        lf__text value = lf__item_json(member);
        if (alike->count == LF__REPLY_HOLES)
            return;
        if (word.at >= value.at && word.at < value.at + value.size)
            alike_add_hole(alike, text, word, to, true);
        else if (alike_counts(reply, member) != NULL)
            alike_add_hole(alike, text, value, alike_counts(reply, member), false);
        else if (alike_passes(lf__item_key(member)) && !lf__item_is_null(member))
            alike_add_hole(alike, text, value, NULL, false);
    }
    lf__buf_add(&alike->event, text.at, text.size);
}

/* Behind the value that begins at `at`; NULL: it is none that may stand in this hole. */
static const char *alike_value_end(const lf__reply_hole *hole, const char *at, const char *end)
{
    if (at == end)
        return NULL;
    if (*at != '{' && *at != '[')
        return hole->to == NULL || (hole->is_piece && *at == '"') ? lf__json_scalar_end(at, end) : NULL;
    const char *behind = lf__json_value_end(at, end);
    bool fits = !hole->is_piece && (hole->to == NULL || *at == '{');
    return fits && lf__json_valid(at, (size_t)(behind - at)) ? behind : NULL;
}

/* The values in the holes of an event that is like the one before. */
static bool alike_compare(const lf__reply_alike *alike, lf__text data, lf__text values[LF__REPLY_HOLES])
{
    const char *at = data.at, *end = data.at + data.size, *before = alike->event.data;
    for (unsigned i = 0; i < alike->count; i++) {
        const lf__reply_hole *hole = &alike->holes[i];
        size_t size = (size_t)(alike->event.data + hole->at - before);
        if ((size_t)(end - at) < size || memcmp(at, before, size) != 0)
            return false;
        values[i].at = at + size;
        at = alike_value_end(hole, values[i].at, end);
        if (at == NULL)
            return false;
        values[i].size = (size_t)(at - values[i].at);
        before += size + hole->size;
    }
    size_t tail = (size_t)(alike->event.data + alike->event.length - before);
    return (size_t)(end - at) == tail && memcmp(at, before, tail) == 0;
}

bool lf__reply_read_alike(lf__reply *reply, lf__text data)
{
    lf__reply_alike *alike = &reply->alike;
    lf__text values[LF__REPLY_HOLES];
    if (alike->event.length == 0 || !alike_compare(alike, lf__text_trim(data, " \t\r"), values))
        return false;
    alike->misses = 0;
    for (unsigned i = 0; i < alike->count; i++) {
        lf__text inside = {values[i].at + 1, values[i].size - 2};
        if (alike->holes[i].is_piece)
            lf__reply_add_piece(reply, alike->holes[i].to, inside);
        else if (alike->holes[i].to != NULL)
            lf__reply_set(reply, alike->holes[i].to, values[i]);
    }
    return true;
}

void lf__reply_unlearn(lf__reply *reply)
{
    lf__reply_alike *alike = &reply->alike;
    alike->misses += alike->event.length > 0 && alike->misses < ALIKE_MISSES;
    lf__buf_clear(&alike->event); /* where pieces are added to may move */
}
