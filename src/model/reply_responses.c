#include "reply_state.h"

#include <stdlib.h>

/* OpenAI's Responses. The last event carries the whole response; without it the items are put together from what came before, by
 * output_index, or by item_id where a server leaves that out.
 */

enum { RESPONSES_SUMMARY = 1 << 20 /* added to the index of a part of a summary, apart from contents */ };

/* ---- The response itself ------------------------------------------------------------------------------------------ */

static void responses_take_last(lf__reply *reply, lf__item response)
{
    lf__item reason = lf__item_path(response, "incomplete_details", "reason");
    reply->done = true;
    (void)lf__reply_set_media(reply, &reply->whole, lf__item_member(response, "output"));
    (void)lf__reply_set_json(reply, &reply->usage, lf__item_member(response, "usage"));
    if (!lf__reply_set_json(reply, &reply->finish_reason, reason))
        (void)lf__reply_set_json(reply, &reply->finish_reason, lf__item_member(response, "status"));
    static const char *const noted[] = {"status", "incomplete_details", "error", "previous_response_id", "reasoning", "text"};
    for (size_t i = 0; i < sizeof noted / sizeof *noted; i++)
        lf__reply_note(reply, noted[i], lf__item_member(response, noted[i]));
    if (lf__item_begins(lf__item_member(response, "error")) == '{')
        lf__reply_note_error(reply, lf__item_member(response, "error"));
    else if (lf__item_equals(lf__item_member(response, "status"), "failed"))
        lf__reply_note_error(reply, lf__item_member(response, "status"));
}

static void responses_take_head(lf__reply *reply, lf__item response)
{
    (void)lf__reply_set_string(reply, &reply->model, lf__item_member(response, "model"));
    (void)lf__reply_set_json(reply, &reply->id, lf__item_member(response, "id"));
}

/* ---- Items -------------------------------------------------------------------------------------------------------- */

static lf__reply_part *responses_find(lf__reply *reply, lf__item event, lf__text id)
{
    lf__reply_part *items = reply->items.items;
    int64_t index;
    if (lf__item_int(lf__item_member(event, "output_index"), &index))
        return lf__reply_part_at(&reply->items, index);
    for (size_t i = 0; i < reply->items.count; i++)
        if (id.size > 0 && lf__text_equals(lf__buf_text(&items[i].id), id))
            return &items[i];
    return id.size == 0 && reply->items.count > 0 ? &items[reply->items.count - 1] : NULL;
}

static lf__reply_part *responses_item(lf__reply *reply, lf__item event, lf__item id, const char *json)
{
    lf__reply_part *item = responses_find(reply, event, lf__item_string(id));
    if (item != NULL)
        return item;
    item = lf__reply_list_grow(reply, &reply->items, sizeof *item);
    if (item == NULL)
        return NULL;
    if (!lf__item_int(lf__item_member(event, "output_index"), &item->index))
        item->index = -1;
    (void)lf__reply_set_string(reply, &item->id, id);
    lf__reply_set(reply, &item->json, lf__text_of(json));
    return item;
}

static void responses_take_item(lf__reply *reply, lf__item event, bool is_done)
{
    lf__item json = lf__item_member(event, "item");
    lf__reply_part *item = responses_item(reply, event, lf__item_member(json, "id"), "{}");
    if (item == NULL || !lf__reply_set_media(reply, &item->json, json) || !is_done)
        return;
    item->key = NULL; /* it is whole */
    item->is_raw = true;
}

/* A part of an item's contents or of its summary. */
static lf__reply_part *responses_part(lf__reply *reply, lf__item event, const char *type, bool is_summary)
{
    lf__item id = lf__item_member(event, "item_id");
    lf__reply_part *item = responses_item(
        reply, event, id, is_summary ? "{\"type\":\"reasoning\"}" : "{\"type\":\"message\",\"role\":\"assistant\"}");
    if (item == NULL)
        return NULL;
    int64_t index = 0;
    (void)lf__item_int(lf__item_member(event, is_summary ? "summary_index" : "content_index"), &index);
    index += is_summary ? RESPONSES_SUMMARY : 0;
    lf__reply_part *part = lf__reply_part_at(&item->parts, index);
    if (part != NULL)
        return part;
    part = lf__reply_list_grow(reply, &item->parts, sizeof *part);
    if (part == NULL)
        return NULL;
    part->index = index;
    lf__reply_set(reply, &part->json, lf__text_of(type));
    return part;
}

static void responses_take_part(lf__reply *reply, lf__item event, bool is_summary)
{
    lf__reply_part *part = responses_part(reply, event, "{}", is_summary);
    if (part != NULL)
        (void)lf__reply_set_json(reply, &part->json, lf__item_member(event, "part"));
}

static void responses_add_piece(lf__reply *reply, lf__item event, lf__buf *to)
{
    lf__item piece = lf__item_member(event, "delta");
    if (lf__reply_add_string(reply, to, piece))
        lf__reply_learn(reply, event, piece, to);
}

static void responses_add_text(lf__reply *reply, lf__item event, const char *type, const char *key, bool is_summary)
{
    lf__reply_part *part = responses_part(reply, event, type, is_summary);
    if (part == NULL)
        return;
    part->key = key;
    responses_add_piece(reply, event, &part->text);
}

static void responses_add_to_item(lf__reply *reply, lf__item event, const char *type, const char *key)
{
    lf__reply_part *item = responses_item(reply, event, lf__item_member(event, "item_id"), type);
    if (item == NULL)
        return;
    item->key = key;
    responses_add_piece(reply, event, &item->text);
}

/* ---- Events ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *type;
    const char *json; /* of the part, or of the item */
    const char *key;
    bool is_summary, is_item;
} responses_deltas[] = {
    {"response.output_text.delta", "{\"type\":\"output_text\"}", "text", false, false},
    {"response.refusal.delta", "{\"type\":\"refusal\"}", "refusal", false, false},
    {"response.reasoning_text.delta", "{\"type\":\"reasoning_text\"}", "text", false, false},
    {"response.reasoning_summary_text.delta", "{\"type\":\"summary_text\"}", "text", true, false},
    {"response.function_call_arguments.delta", "{\"type\":\"function_call\"}", "arguments", false, true},
    {"response.mcp_call_arguments.delta", "{\"type\":\"mcp_call\"}", "arguments", false, true},
    {"response.custom_tool_call_input.delta", "{\"type\":\"custom_tool_call\"}", "input", false, true},
    {"response.code_interpreter_call_code.delta", "{\"type\":\"code_interpreter_call\"}", "code", false, true},
};

static void responses_take_delta(lf__reply *reply, lf__item event, lf__text type)
{
    for (size_t i = 0; i < sizeof responses_deltas / sizeof *responses_deltas; i++) {
        if (!lf__text_equals(type, lf__text_of(responses_deltas[i].type)))
            continue;
        if (responses_deltas[i].is_item)
            responses_add_to_item(reply, event, responses_deltas[i].json, responses_deltas[i].key);
        else
            responses_add_text(reply, event, responses_deltas[i].json, responses_deltas[i].key, responses_deltas[i].is_summary);
        return;
    }
}

bool lf__reply_responses_event(lf__reply *reply, lf__item event)
{
    lf__text type = lf__item_string(lf__item_member(event, "type"));
    lf__item response = lf__item_member(event, "response");
    if (lf__text_ends(type, ".delta")) {
        responses_take_delta(reply, event, type);
        return true;
    }
    if (lf__item_begins(response) == '{') {
        responses_take_head(reply, response);
        lf__reply_take_tier(reply, lf__item_member(response, "service_tier"));
        if (lf__text_ends(type, ".completed") || lf__text_ends(type, ".incomplete") || lf__text_ends(type, ".failed"))
            responses_take_last(reply, response);
    } else if (lf__text_begins(type, "response.output_item.")) {
        responses_take_item(reply, event, lf__text_ends(type, ".done"));
    } else if (lf__text_begins(type, "response.content_part.added")) {
        responses_take_part(reply, event, false);
    } else if (lf__text_begins(type, "response.reasoning_summary_part.added")) {
        responses_take_part(reply, event, true);
    } else if (lf__item_begins(lf__item_member(event, "output")) == '[') { /* not streamed */
        responses_take_head(reply, event);
        lf__reply_take_tier(reply, lf__item_member(event, "service_tier"));
        responses_take_last(reply, event);
        return true;
    }
    return false;
}

/* ---- Output ------------------------------------------------------------------------------------------------------- */

static void responses_put_parts(lf__buf *out, const char *key, const lf__reply_list *list, bool is_summary)
{
    const lf__reply_part *parts = list->items;
    lf__reply_put_json(out, key, (lf__text)LF__TEXT("["));
    for (size_t i = 0; i < list->count; i++) {
        if ((parts[i].index >= RESPONSES_SUMMARY) != is_summary)
            continue;
        lf__reply_put_comma(out);
        LF__BUF_ADD(out, "{");
        lf__reply_put_members(out, lf__buf_text(&parts[i].json), parts[i].key, NULL);
        if (parts[i].key != NULL)
            lf__reply_put_string(out, parts[i].key, &parts[i].text);
        LF__BUF_ADD(out, "}");
    }
    LF__BUF_ADD(out, "]");
}

static bool responses_has_parts(const lf__reply_list *list, bool is_summary)
{
    const lf__reply_part *parts = list->items;
    for (size_t i = 0; i < list->count; i++)
        if ((parts[i].index >= RESPONSES_SUMMARY) == is_summary)
            return true;
    return false;
}

static void responses_put_item(lf__buf *out, const lf__reply_part *item)
{
    if (item->is_raw || (item->parts.count == 0 && item->key == NULL)) {
        lf__reply_put_object(out, &item->json);
        return;
    }
    bool contents = responses_has_parts(&item->parts, false), summary = responses_has_parts(&item->parts, true);
    LF__BUF_ADD(out, "{");
    lf__reply_put_members(out, lf__buf_text(&item->json),
                          item->key != NULL ? item->key
                          : contents        ? "content"
                                            : NULL,
                          summary ? "summary" : NULL);
    if (item->key != NULL)
        lf__reply_put_string(out, item->key, &item->text);
    if (summary)
        responses_put_parts(out, "summary", &item->parts, true);
    if (contents)
        responses_put_parts(out, "content", &item->parts, false);
    LF__BUF_ADD(out, "}");
}

static int responses_compare(const void *a, const void *b)
{
    int64_t first = ((const lf__reply_part *)a)->index, second = ((const lf__reply_part *)b)->index;
    return first < second ? -1 : first > second;
}

static bool responses_have_indexes(const lf__reply_list *list)
{
    const lf__reply_part *items = list->items;
    for (size_t i = 0; i < list->count; i++)
        if (items[i].index < 0)
            return false;
    return true;
}

/* The only item, or the list of them. */
void lf__reply_responses_output(lf__reply *reply, lf__buf *out)
{
    lf__text item, only = {NULL, 0};
    size_t count = 0;
    if (reply->done) {
        for (size_t at = 0; lf__json_next_item(reply->whole.data, reply->whole.length, &at, &item); count++)
            only = item;
        if (count == 1)
            lf__buf_add(out, only.at, only.size);
        else if (count > 1)
            lf__buf_add(out, reply->whole.data, reply->whole.length);
        return;
    }
    count = reply->items.count;
    lf__reply_part *items = reply->items.items;
    if (count > 1 && responses_have_indexes(&reply->items))
        qsort(items, count, sizeof *items, responses_compare);
    lf__buf_add(out, "[", count > 1);
    for (size_t i = 0; i < count; i++) {
        lf__buf_add(out, ",", i > 0);
        responses_put_item(out, &items[i]);
    }
    lf__buf_add(out, "]", count > 1);
}
