#include "reply.h"

#include "../base/secret.h"
#include "media.h"
#include "reply_state.h"
#include "usage.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    REPLY_LIST_ROOM = 4,
    REPLY_RESULT_MOST = 32 << 20, /* output with its brackets and keys; merged text is bounded by `most` */
    REPLY_METADATA_MOST = 64 << 10,
    REPLY_ALIKE_MAX = 4096, /* a longer chunk is read anew each time */
    REPLY_RESERVE = 64 << 10, /* of `most`, or a quarter of it: for what is no streamed text, counts for instance */
    REPLY_ERROR_TEXT = 200 /* bytes of a body that is no JSON */
};

/* ---- Memory: all that is merged counts ------------------------------------------------------------------------------ */

static void reply_init_buf(const lf__reply *reply, lf__buf *buf)
{
    if (buf->limit == 0)
        lf__buf_init(buf, reply->most);
}

bool lf__reply_add(lf__reply *reply, lf__buf *to, lf__text text)
{
    reply_init_buf(reply, to);
    if (text.size > reply->left || !lf__buf_add(to, text.at, text.size)) {
        reply->truncated = true;
        to->failed = false; /* what comes later may be smaller */
        return false;
    }
    reply->left -= text.size;
    return true;
}

bool lf__reply_set(lf__reply *reply, lf__buf *to, lf__text text)
{
    size_t before = to->length;
    if (lf__text_equals(lf__buf_text(to), text))
        return true;
    reply->left += before;
    to->length = 0;
    if (lf__reply_add(reply, to, text))
        return true;
    to->length = before;
    reply->left -= before;
    return false;
}

bool lf__reply_add_item(lf__reply *reply, lf__buf *to, lf__text json)
{
    size_t before = to->length;
    if ((before == 0 || lf__reply_add(reply, to, (lf__text)LF__TEXT(","))) && lf__reply_add(reply, to, json))
        return true;
    reply->left += to->length - before;
    to->length = before;
    return false;
}

/* The largest size up to `most` that cuts neither an escape nor a character in two. */
static size_t reply_string_floor(lf__text raw, size_t most)
{
    size_t at = 0, end = 0;
    while (at <= most && at < raw.size) {
        end = at;
        at += raw.at[at] != '\\' ? 1 : raw.at[at + 1] == 'u' ? 6 : 2;
    }
    return lf__utf8_floor(raw.at, at <= most ? at : end);
}

void lf__reply_add_piece(lf__reply *reply, lf__buf *to, lf__text text)
{
    size_t reserve = reply->most / 4 < REPLY_RESERVE ? reply->most / 4 : REPLY_RESERVE;
    size_t room = reply->left > reserve && !reply->is_full ? reply->left - reserve : 0;
    if (text.size > room) {
        text.size = reply_string_floor(text, room);
        reply->truncated = reply->is_full = true;
    }
    reply->is_full |= !lf__reply_add(reply, to, text);
}

bool lf__reply_add_string(lf__reply *reply, lf__buf *to, lf__item item)
{
    lf__text text = lf__item_string(item);
    if (text.size > 0)
        lf__reply_add_piece(reply, to, text);
    return text.size > 0;
}

bool lf__reply_set_string(lf__reply *reply, lf__buf *to, lf__item item)
{
    lf__text text = lf__item_string(item);
    if (text.size == 0)
        return false;
    lf__reply_set(reply, to, text);
    return true;
}

bool lf__reply_set_json(lf__reply *reply, lf__buf *to, lf__item item)
{
    if (lf__item_is_null(item))
        return false;
    return lf__reply_set(reply, to, lf__item_json(item));
}

bool lf__reply_set_media(lf__reply *reply, lf__buf *to, lf__item item)
{
    lf__buf *converted = &reply->scratch;
    if (lf__item_is_null(item))
        return false;
    lf__buf_clear(converted);
    if (lf__media_add_json(converted, lf__item_json(item), reply->media_type))
        return lf__reply_set(reply, to, lf__buf_text(converted));
    reply->truncated = true;
    return false;
}

void *lf__reply_list_grow(lf__reply *reply, lf__reply_list *list, size_t item_size)
{
    if (list->count == LF__REPLY_LIST_MAX || item_size > reply->left) {
        reply->truncated = true;
        return NULL;
    }
    if (list->count == list->room) {
        size_t room = list->room == 0 ? REPLY_LIST_ROOM : 2 * list->room;
        void *items = lf__realloc(list->items, room * item_size);
        if (items == NULL) {
            reply->truncated = true;
            return NULL;
        }
        list->items = items;
        list->room = room;
    }
    reply->left -= item_size;
    return memset((char *)list->items + list->count++ * item_size, 0, item_size);
}

lf__reply_choice *lf__reply_choice_at(lf__reply *reply, int64_t index)
{
    lf__reply_choice *list = reply->choices.items;
    for (size_t i = 0; i < reply->choices.count; i++)
        if (list[i].index == index)
            return &list[i];
    lf__reply_choice *choice = lf__reply_list_grow(reply, &reply->choices, sizeof *choice);
    if (choice != NULL)
        choice->index = index;
    return choice;
}

lf__reply_part *lf__reply_part_at(lf__reply_list *list, int64_t index)
{
    lf__reply_part *parts = list->items;
    for (size_t i = 0; i < list->count; i++)
        if (parts[i].index == index)
            return &parts[i];
    return NULL;
}

/* ---- Beginning and ending ----------------------------------------------------------------------------------------- */

static bool reply_may_be_text(const lf__reply *reply)
{
    return reply->api == LF__API_TRANSCRIPTION || reply->api == LF__API_SPEECH || reply->api == LF__API_OTHER;
}

static bool reply_is_bytes(const lf__reply *reply)
{
    return reply->frames.framing == LF__FRAMING_BYTES || reply->frames.framing == LF__FRAMING_UNKNOWN;
}

lf__reply *lf__reply_new(lf__api api, const char *media_type, size_t most)
{
    lf__reply *reply = lf__alloc(sizeof *reply);
    if (reply == NULL)
        return NULL;
    reply->api = api;
    snprintf(reply->media_type, sizeof reply->media_type, "%s", media_type == NULL ? "" : media_type);
    reply->most = reply->left = most;
    reply->first_token_event = -1;
    bool may_be_whole = lf__api_is_embedding(api) || api == LF__API_OTHER;
    lf__lists lists = may_be_whole ? LF__LISTS_WHOLE : reply_may_be_text(reply) ? LF__LISTS_NONE : LF__LISTS_SPLIT;
    lf__frames_init(&reply->frames, lists, lf__api_is_embedding(api));
    lf__buf *const results[] = {&reply->output, &reply->details, &reply->costs, &reply->message, &reply->reason, &reply->scratch};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        lf__buf_init(results[i], REPLY_RESULT_MOST);
    lf__buf_init(&reply->repaired, LF__EVENT_MAX);
    lf__buf_init(&reply->alike.event, REPLY_ALIKE_MAX);
    return reply;
}

static void reply_free_parts(lf__reply_list *list)
{
    lf__reply_part *parts = list->items;
    for (size_t i = 0; i < list->count; i++) {
        lf__buf_done(&parts[i].id);
        lf__buf_done(&parts[i].json);
        lf__buf_done(&parts[i].text);
        lf__buf_done(&parts[i].more);
        if (parts[i].parts.items != NULL)
            reply_free_parts(&parts[i].parts); /* items have contents, which have none */
    }
    lf__free(list->items);
}

static void reply_free_tools(lf__reply_list *list)
{
    lf__reply_tool *tools = list->items;
    for (size_t i = 0; i < list->count; i++) {
        lf__buf_done(&tools[i].id);
        lf__buf_done(&tools[i].type);
        lf__buf_done(&tools[i].name);
        lf__buf_done(&tools[i].arguments);
    }
    lf__free(list->items);
}

static void reply_free_choice(lf__reply_choice *choice)
{
    lf__buf *const bufs[] = {&choice->role,         &choice->message,          &choice->function_name, &choice->function_arguments,
                             &choice->audio_data,   &choice->audio_transcript, &choice->audio_rest,    &choice->annotations,
                             &choice->finish_reason};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        lf__buf_done(bufs[i]);
    for (int i = 0; i < LF__REPLY_TEXTS; i++)
        lf__buf_done(&choice->texts[i]);
    reply_free_parts(&choice->parts);
    reply_free_tools(&choice->tools);
}

void lf__reply_free(lf__reply *reply)
{
    if (reply == NULL)
        return;
    lf__buf *const bufs[] = {&reply->repaired,     &reply->model,         &reply->id,     &reply->usage,      &reply->timings,
                             &reply->service_tier, &reply->metadata,      &reply->error,  &reply->error_type, &reply->blocked,
                             &reply->whole,        &reply->finish_reason, &reply->output, &reply->details,    &reply->costs,
                             &reply->message,      &reply->scratch,       &reply->reason, &reply->apology,    &reply->bytes,
                             &reply->alike.event};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        lf__buf_done(bufs[i]);
    lf__reply_choice *choices = reply->choices.items;
    for (size_t i = 0; i < reply->choices.count; i++)
        reply_free_choice(&choices[i]);
    lf__free(choices);
    reply_free_parts(&reply->items);
    lf__frames_done(&reply->frames);
    lf__tree_done(&reply->tree);
    lf__free(reply);
}

/* ---- Events ------------------------------------------------------------------------------------------------------- */

/* The metadata so far is an object that is not closed. */
static bool reply_has_note(const lf__reply *reply, lf__text key)
{
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(reply->metadata.data, reply->metadata.length, &at, &member);)
        if (lf__text_equals((lf__text){member.key, member.key_size}, key))
            return true;
    return false;
}

void lf__reply_note_json(lf__reply *reply, const char *key, lf__text json)
{
    lf__buf *name = &reply->scratch, *to = &reply->metadata;
    size_t before = to->length;
    lf__buf_clear(name);
    lf__buf_add_text(name, before == 0 ? "{\"" : ",\"");
    lf__buf_add_text(name, key);
    LF__BUF_ADD(name, "\":");
    if (name->failed || json.size == 0 || json.size > REPLY_METADATA_MOST || reply_has_note(reply, lf__text_of(key)))
        return; /* the first one stays */
    if (lf__reply_add(reply, to, lf__buf_text(name)) && lf__reply_add(reply, to, json))
        return;
    reply->left += to->length - before;
    to->length = before;
}

void lf__reply_note(lf__reply *reply, const char *key, lf__item item)
{
    if (!lf__item_is_null(item))
        lf__reply_note_json(reply, key, lf__item_json(item));
}

void lf__reply_note_error(lf__reply *reply, lf__item error)
{
    lf__item message = lf__item_begins(error) == '"' ? error : lf__item_member(error, "message");
    if (lf__item_begins(message) == '{') /* an error around an error */
        message = lf__item_member(message, "message");
    if (reply->error.length > 0)
        return;
    if (!lf__reply_set_string(reply, &reply->error, message) &&
        !lf__reply_set_string(reply, &reply->error, lf__item_member(error, "code")) &&
        !lf__reply_set_string(reply, &reply->error, lf__item_member(error, "type")))
        lf__reply_set(reply, &reply->error, (lf__text)LF__TEXT("error"));
    (void)lf__reply_set_string(reply, &reply->error_type, lf__item_member(error, "type"));
    lf__reply_note(reply, "error_type", lf__item_member(error, "type"));
    if (lf__item_begins(lf__item_member(error, "status")) == '"') /* of Google */
        lf__reply_note(reply, "error_type", lf__item_member(error, "status"));
    lf__reply_note(reply, "error_code", lf__item_member(error, "code"));
    lf__reply_note(reply, "error_param", lf__item_member(error, "param"));
    lf__reply_note(reply, "innererror", lf__item_member(error, "innererror"));
}

/* {"message": ...} of gateways, {"detail": ...} of FastAPI: only the HTTP status makes an error of them. */
static void reply_look_for_apology(lf__reply *reply, lf__item event)
{
    lf__item detail = lf__item_member(event, "detail");
    if (lf__reply_set_string(reply, &reply->apology, lf__item_member(event, "message")) ||
        lf__reply_set_string(reply, &reply->apology, detail) || lf__item_begins(detail) != '[')
        return;
    lf__buf_clear(&reply->scratch);
    lf__text json = lf__item_json(detail);
    if (lf__json_string(&reply->scratch, json.at, json.size))
        lf__reply_set(reply, &reply->apology, (lf__text){reply->scratch.data + 1, reply->scratch.length - 2});
}

/* {"error": ...}, {"object":"error","message":...}, {"type":"error",...}, an event named so. */
static void reply_look_for_error(lf__reply *reply, lf__item event, bool is_error)
{
    static const lf__text names[] = {LF__TEXT("error"), LF__TEXT("object"), LF__TEXT("type")};
    lf__item members[sizeof names / sizeof *names];
    lf__item_members(event, names, sizeof names / sizeof *names, members);
    char begins = lf__item_begins(members[0]);
    if (begins == '{' || (begins == '"' && lf__item_string(members[0]).size > 0))
        lf__reply_note_error(reply, members[0]);
    else if (is_error || lf__item_equals(members[1], "error") || lf__item_equals(members[2], "error"))
        lf__reply_note_error(reply, event);
    else if (reply->events == 0)
        reply_look_for_apology(reply, event);
}

static bool reply_read_event(lf__reply *reply, lf__item event)
{
    switch (reply->api) {
    case LF__API_CHAT:
    case LF__API_COMPLETION: return lf__reply_chat_event(reply, event);
    case LF__API_RESPONSES: return lf__reply_responses_event(reply, event);
    case LF__API_ANTHROPIC: return lf__reply_anthropic_event(reply, event);
    case LF__API_GEMINI: return lf__reply_gemini_event(reply, event);
    default: return lf__reply_other_event(reply, event);
    }
}

/* Bytes that are no UTF-8 become U+FFFD, as everywhere. */
static bool reply_index(lf__reply *reply, lf__text data)
{
    if (lf__tree_read(&reply->tree, data))
        return true;
    if (!reply->tree.was_full && lf__utf8_valid_prefix(data.at, data.size) < data.size) {
        lf__buf_clear(&reply->repaired);
        if (lf__utf8_add(&reply->repaired, data.at, data.size) && lf__tree_read(&reply->tree, lf__buf_text(&reply->repaired)))
            return true;
        reply->truncated |= reply->repaired.failed;
    }
    reply->truncated |= reply->tree.was_full;
    return false;
}

/* An error that is no JSON. */
static void reply_set_error_text(lf__reply *reply, lf__text text)
{
    lf__buf_clear(&reply->scratch);
    if (lf__json_string(&reply->scratch, text.at, text.size))
        lf__reply_set(reply, &reply->error, (lf__text){reply->scratch.data + 1, reply->scratch.length - 2});
}

/* True: its token is the first one. */
static bool reply_count_event(lf__reply *reply, bool token)
{
    bool first = token && !reply->has_token;
    if (first)
        reply->first_token_event = reply->events;
    reply->has_token |= token;
    reply->events++;
    return first;
}

/* True: the first token is in this event. */
static bool reply_take_event(lf__reply *reply, const lf__frame_event *event)
{
    if (reply->closed)
        return false;
    if (lf__text_begins(event->data, "[DONE]")) {
        reply->done = reply->closed = true;
        return false;
    }
    if (!event->is_error && lf__reply_read_alike(reply, event->data))
        return reply_count_event(reply, true);
    lf__reply_unlearn(reply);
    if (!reply_index(reply, event->data)) {
        if (event->is_error && reply->error.length == 0)
            reply_set_error_text(reply, event->data);
        return false;
    }
    lf__item root = lf__tree_root(&reply->tree);
    reply_look_for_error(reply, root, event->is_error);
    return reply_count_event(reply, reply_read_event(reply, root));
}

/* Lines of JSON that are like the event before. */
static void reply_take_lines(lf__reply *reply)
{
    lf__text line;
    while (!reply->closed && lf__frames_peek_line(&reply->frames, &line) && lf__reply_read_alike(reply, line)) {
        lf__frames_skip_line(&reply->frames, line);
        (void)reply_count_event(reply, true);
    }
}

/* All bytes are kept until they turn out to be something else. Of those that do not fit, the first ones are. */
static void reply_keep_bytes(lf__reply *reply, const char *bytes, size_t size)
{
    if (!reply_is_bytes(reply)) {
        reply->left += reply->bytes.length;
        reply->bytes.length = 0;
        reply->cuts_bytes = false;
        return;
    }
    size_t room = reply->cuts_bytes ? 0 : reply->left;
    reply->cuts_bytes |= size > room;
    reply->cuts_bytes |= !lf__reply_add(reply, &reply->bytes, (lf__text){bytes, size < room ? size : room});
}

bool lf__reply_feed(lf__reply *reply, const char *bytes, size_t size)
{
    lf__frame_event event;
    bool first = false;
    if (bytes == NULL || size == 0)
        return false;
    bool was_bytes = reply_may_be_text(reply) && reply_is_bytes(reply);
    lf__frames_give(&reply->frames, bytes, size);
    if (was_bytes)
        reply_keep_bytes(reply, bytes, size);
    reply_take_lines(reply);
    while (lf__frames_take(&reply->frames, &event)) {
        first |= reply_take_event(reply, &event);
        reply_take_lines(reply);
    }
    return first;
}

lf__text lf__reply_content(const lf__reply *reply)
{
    const lf__reply_choice *choices = reply->choices.items;
    return reply->choices.count == 0 ? (lf__text){NULL, 0} : lf__buf_text(&choices[0].texts[LF__REPLY_CONTENT]);
}

static size_t reply_parts_memory(const lf__reply_list *list)
{
    return list->room * sizeof(lf__reply_part);
}

size_t lf__reply_memory(const lf__reply *reply)
{
    return sizeof *reply + 2 * (reply->most - reply->left) + lf__frames_memory(&reply->frames) + reply->repaired.capacity +
           reply->tree.room * sizeof *reply->tree.nodes + reply_parts_memory(&reply->items);
}

/* ---- Writing ------------------------------------------------------------------------------------------------------ */

void lf__reply_put_comma(lf__buf *out)
{
    char last = out->length == 0 ? '{' : out->data[out->length - 1];
    lf__buf_add(out, ",", last != '{' && last != '[' && last != ',');
}

static void reply_put_key(lf__buf *out, const char *key)
{
    lf__reply_put_comma(out);
    LF__BUF_ADD(out, "\"");
    lf__buf_add_text(out, key);
    LF__BUF_ADD(out, "\":");
}

void lf__reply_put_object(lf__buf *out, const lf__buf *json)
{
    lf__buf_add(out, json->length > 0 ? json->data : "{}", json->length > 0 ? json->length : 2);
}

void lf__reply_put_quoted(lf__buf *out, const lf__buf *text)
{
    LF__BUF_ADD(out, "\"");
    lf__buf_add(out, text->data, text->length);
    LF__BUF_ADD(out, "\"");
}

void lf__reply_put_string(lf__buf *out, const char *key, const lf__buf *text)
{
    reply_put_key(out, key);
    lf__reply_put_quoted(out, text);
}

void lf__reply_put_json(lf__buf *out, const char *key, lf__text json)
{
    reply_put_key(out, key);
    lf__buf_add(out, json.at, json.size);
}

static bool reply_is_named(const lf__json_member *member, const char *name)
{
    return name != NULL && lf__json_is(member->key, member->key_size, name);
}

void lf__reply_put_members(lf__buf *out, lf__text object, const char *but, const char *nor)
{
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(object.at, object.size, &at, &member);) {
        if (reply_is_named(&member, but) || reply_is_named(&member, nor))
            continue;
        lf__reply_put_comma(out);
        LF__BUF_ADD(out, "\"");
        lf__buf_add(out, member.key, member.key_size);
        LF__BUF_ADD(out, "\":");
        lf__buf_add(out, member.value, member.value_size);
    }
}

/* ---- What came of it ---------------------------------------------------------------------------------------------- */

static bool reply_has_lines(const lf__reply *reply)
{
    return reply->api == LF__API_OLLAMA_CHAT || reply->api == LF__API_OLLAMA_GENERATE;
}

/* Only Gemini streams a list; others are results of several inputs. Ollama streams lines, of which the last one is done. */
static bool reply_is_stream(const lf__reply *reply)
{
    lf__framing framing = reply->frames.framing;
    return framing == LF__FRAMING_SSE || (framing == LF__FRAMING_LIST && reply->api == LF__API_GEMINI) ||
           (framing == LF__FRAMING_VALUES && (reply->events > 1 || (reply_has_lines(reply) && !reply->done)));
}

/* One JSON value has no end mark of its own. */
static bool reply_is_one_value(const lf__reply *reply)
{
    return reply->frames.framing == LF__FRAMING_VALUES && reply->events == 1 && !reply_has_lines(reply);
}

static void reply_write_output(lf__reply *reply)
{
    lf__buf *raw = &reply->scratch;
    lf__buf_clear(raw);
    switch (reply->api) {
    case LF__API_RESPONSES: lf__reply_responses_output(reply, raw); break;
    case LF__API_ANTHROPIC: lf__reply_anthropic_output(reply, raw); break;
    case LF__API_GEMINI: lf__reply_gemini_output(reply, raw); break;
    case LF__API_CHAT:
    case LF__API_COMPLETION: lf__reply_chat_output(reply, raw); break;
    default: lf__reply_other_output(reply, raw); break;
    }
    if (raw->failed || (raw->length > 0 && !lf__media_add_json(&reply->output, lf__buf_text(raw), reply->media_type)))
        reply->truncated = true;
    if (reply->output.length > 0)
        lf__json_mend(reply->output.data, reply->output.length); /* deltas may have been cut inside of a pair */
}

static void reply_write_usage(lf__reply *reply)
{
    lf__text usage = lf__buf_text(reply->usage.length > 0 ? &reply->usage : &reply->timings), model = lf__buf_text(&reply->model);
    if (usage.size > 0)
        (void)lf__usage_convert(&reply->details, &reply->costs, usage.at, usage.size, model);
}

static int reply_compare(const void *a, const void *b)
{
    int64_t first = ((const lf__reply_choice *)a)->index, second = ((const lf__reply_choice *)b)->index;
    return first < second ? -1 : first > second;
}

/* The reason of the only choice, or a list of them; why a prompt was refused. */
static void reply_write_finish(lf__reply *reply)
{
    lf__buf *out = &reply->reason;
    if (reply->blocked.length > 0)
        lf__reply_put_quoted(out, &reply->blocked);
    else
        lf__buf_add(out, reply->finish_reason.data, reply->finish_reason.length);
    lf__reply_choice *choices = reply->choices.items;
    size_t count = reply->choices.count;
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any |= choices[i].finish_reason.length > 0;
    if (!any || out->length > 0)
        return;
    lf__buf_add(out, "[", count > 1);
    for (size_t i = 0; i < count; i++) {
        bool has = choices[i].finish_reason.length > 0;
        lf__buf_add(out, ",", i > 0);
        lf__buf_add(out, has ? choices[i].finish_reason.data : "null", has ? choices[i].finish_reason.length : 4);
    }
    lf__buf_add(out, "]", count > 1);
    (void)lf__buf_finish(out, 0);
}

static void reply_say(lf__reply *reply, const char *before, lf__text raw, const char *behind)
{
    lf__buf *out = &reply->message;
    lf__buf_clear(out);
    lf__buf_add_text(out, before);
    lf__json_unescape(out, raw.at, raw.size);
    lf__buf_add_text(out, behind);
}

/* What the body of a failure says: an error, a message, or its first bytes. */
static void reply_say_http(lf__reply *reply, int http_status)
{
    char before[32];
    lf__text head = {reply->frames.head, reply->frames.head_size < REPLY_ERROR_TEXT ? reply->frames.head_size : REPLY_ERROR_TEXT};
    snprintf(before, sizeof before, "HTTP %d", http_status);
    lf__buf *out = &reply->message;
    reply_say(reply, before, (lf__text){NULL, 0}, "");
    const lf__buf *error = reply->error.length > 0 ? &reply->error : &reply->apology;
    if (error->length > 0) {
        LF__BUF_ADD(out, ": ");
        lf__json_unescape(out, error->data, error->length);
    } else if (head.size > 0) {
        LF__BUF_ADD(out, ": ");
        lf__utf8_add(out, head.at, lf__utf8_floor(head.at, head.size));
    }
}

static void reply_judge(lf__reply *reply, const lf__reply_end *end, lf__reply_result *out)
{
    lf__text none = {NULL, 0}, error = lf__buf_text(&reply->error);
    bool finished = reply->done || reply->reason.length > 0;
    out->level = LF_LEVEL_DEFAULT;
    bool failed = error.size > 0 && !(reply->api == LF__API_RESPONSES && reply->done); /* its last event may tell of an error */
    out->complete = finished && end->error == NULL && !failed && !end->cancelled;
    if (end->http_status >= 400) {
        out->level = LF_LEVEL_ERROR;
        out->complete = end->error == NULL;
        reply_say_http(reply, end->http_status);
    } else if (error.size > 0) {
        bool typed = reply->api == LF__API_ANTHROPIC && reply->error_type.length > 0;
        out->level = LF_LEVEL_ERROR;
        reply_say(reply, "", typed ? lf__buf_text(&reply->error_type) : none, typed ? ": " : "");
        lf__json_unescape(&reply->message, error.at, error.size);
    } else if (end->cancelled && !finished) {
        out->level = LF_LEVEL_WARNING;
        reply_say(reply, "cancelled", none, "");
    } else if (end->error != NULL && !end->cancelled) {
        out->level = LF_LEVEL_ERROR;
        reply_say(reply, end->error, none, "");
    } else if (reply->blocked.length > 0) {
        out->level = LF_LEVEL_WARNING;
        out->complete = true;
        reply_say(reply, "prompt blocked: ", lf__buf_text(&reply->blocked), "");
    } else if (!finished && !end->unread && (reply->frames.total > 0 || end->http_status != 0)) {
        out->level = LF_LEVEL_WARNING;
        bool is_bytes = reply->frames.total > 0 && reply_is_bytes(reply);
        reply_say(reply, is_bytes ? "the reply is no JSON" : "stream ended early", none, "");
    }
}

/* The model's name is a text, not JSON. */
static void reply_unescape_model(lf__reply *reply)
{
    if (reply->model.length == 0 || memchr(reply->model.data, '\\', reply->model.length) == NULL)
        return;
    lf__buf_clear(&reply->scratch);
    lf__json_unescape(&reply->scratch, reply->model.data, reply->model.length);
    lf__reply_set(reply, &reply->model, lf__buf_text(&reply->scratch));
}

/* A text or a sound has no end mark of its own. */
static bool reply_is_whole(const lf__reply *reply)
{
    return reply_is_one_value(reply) || (reply->frames.total > 0 && reply_may_be_text(reply) && reply_is_bytes(reply));
}

/* A server that refuses a key may repeat it. */
static void reply_hide_keys(lf__reply *reply)
{
    lf__secret_hide_by_look(reply->message.data, reply->message.length);
    lf__secret_hide_by_look(reply->metadata.data, reply->metadata.length);
}

void lf__reply_finish(lf__reply *reply, const lf__reply_end *end, lf__reply_result *out)
{
    lf__frame_event event;
    *out = (lf__reply_result){.first_token_event = -1};
    while (lf__frames_take_rest(&reply->frames, &event))
        (void)reply_take_event(reply, &event);
    reply->done |= reply_is_whole(reply);
    reply->truncated |= reply->cuts_bytes;
    if (reply->choices.count > 1)
        qsort(reply->choices.items, reply->choices.count, sizeof(lf__reply_choice), reply_compare);
    reply_write_finish(reply);
    reply_judge(reply, end, out);
    if (end->http_status < 400) {
        reply_write_output(reply);
        reply_write_usage(reply);
    }
    reply_unescape_model(reply);
    lf__reply_note_json(reply, "timings", lf__buf_text(&reply->timings));
    lf__reply_note_json(reply, "finish_reason", lf__buf_text(&reply->reason));
    lf__reply_note_json(reply, "response_id", lf__buf_text(&reply->id));
    out->model = lf__buf_text(&reply->model);
    out->output = lf__buf_text(&reply->output);
    out->finish_reason = lf__buf_text(&reply->reason);
    out->usage = lf__buf_text(&reply->usage);
    out->usage_details = lf__buf_text(&reply->details);
    out->cost_details = out->level == LF_LEVEL_ERROR ? (lf__text){NULL, 0} : lf__buf_text(&reply->costs);
    out->service_tier = lf__buf_text(&reply->service_tier);
    if (out->level != LF_LEVEL_DEFAULT)
        reply_hide_keys(reply);
    if (reply->metadata.length > 0)
        out->metadata = lf__text_behind(lf__buf_text(&reply->metadata), 1); /* without its brace */
    out->status_message = lf__buf_text(&reply->message);
    out->truncated = reply->truncated || reply->frames.dropped;
    out->first_token_event = reply_is_stream(reply) ? reply->first_token_event : -1;
}
