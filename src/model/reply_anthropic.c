#include "reply_state.h"

/* Anthropic's messages: events that begin, continue and end blocks, or one whole message. */

static lf__reply_list *anthropic_blocks(lf__reply *reply)
{
    lf__reply_choice *choice = lf__reply_choice_at(reply, 0);
    return choice == NULL ? NULL : &choice->parts;
}

enum { ANTHROPIC_USAGE_MOST = 8 << 10 /* bytes: its members are compared with each other */ };

/* What is not null takes the place of what was there: counts are totals so far. */
static void anthropic_take_usage(lf__reply *reply, lf__item usage)
{
    lf__buf *merged = &reply->scratch;
    if (lf__item_begins(usage) != '{' || lf__item_json(usage).size + reply->usage.length > ANTHROPIC_USAGE_MOST)
        return;
    lf__buf_clear(merged);
    LF__BUF_ADD(merged, "{");
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(reply->usage.data, reply->usage.length, &at, &member);) {
        lf__item newer = lf__item_first(usage);
        while (lf__item_is(newer) &&
               (lf__item_is_null(newer) || !lf__text_equals(lf__item_key(newer), (lf__text){member.key, member.key_size})))
            newer = lf__item_next(usage, newer);
        if (lf__item_is(newer))
            continue;
        lf__buf_add(merged, ",", merged->length > 1);
        lf__buf_add(merged, member.key - 1, (size_t)(member.value + member.value_size - member.key) + 1);
    }
    for (lf__item item = lf__item_first(usage); lf__item_is(item); item = lf__item_next(usage, item)) {
        lf__text key = lf__item_key(item), value = lf__item_json(item);
        if (lf__item_is_null(item))
            continue;
        lf__buf_add(merged, ",", merged->length > 1);
        lf__buf_add(merged, key.at - 1, (size_t)(value.at + value.size - key.at) + 1);
    }
    LF__BUF_ADD(merged, "}");
    if (!merged->failed)
        lf__reply_set(reply, &reply->usage, lf__buf_text(merged));
    lf__reply_note(reply, "server_tool_use", lf__item_member(usage, "server_tool_use"));
}

static void anthropic_take_head(lf__reply *reply, lf__item message)
{
    (void)lf__reply_set_string(reply, &reply->model, lf__item_member(message, "model"));
    (void)lf__reply_set_json(reply, &reply->id, lf__item_member(message, "id"));
    anthropic_take_usage(reply, lf__item_member(message, "usage"));
}

static void anthropic_take_stop(lf__reply *reply, lf__item from)
{
    (void)lf__reply_set_json(reply, &reply->finish_reason, lf__item_member(from, "stop_reason"));
    lf__reply_note(reply, "stop_sequence", lf__item_member(from, "stop_sequence"));
    lf__reply_note(reply, "stop_details", lf__item_member(from, "stop_details"));
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------- */

static const char anthropic_text[] = "text", anthropic_thinking[] = "thinking", anthropic_input[] = "input";
static const char anthropic_signature[] = "signature", anthropic_citations[] = "citations";

/* True: what it brings is a token already. */
static bool anthropic_begin_block(lf__reply *reply, lf__item event)
{
    lf__item block = lf__item_member(event, "content_block"), type = lf__item_member(block, "type");
    lf__reply_list *blocks = anthropic_blocks(reply);
    if (lf__item_begins(block) != '{' || blocks == NULL)
        return false;
    int64_t index = (int64_t)blocks->count;
    (void)lf__item_int(lf__item_member(event, "index"), &index);
    lf__reply_part *part = lf__reply_list_grow(reply, blocks, sizeof *part);
    if (part == NULL)
        return false;
    part->index = index;
    (void)lf__reply_set_media(reply, &part->json, block);
    if (lf__item_equals(type, "fallback")) /* the model that answers */
        (void)lf__reply_set_string(reply, &reply->model, lf__item_path(block, "to", "model"));
    bool is_text = lf__item_equals(type, "text"), is_thinking = lf__item_equals(type, "thinking");
    if (!is_text && !is_thinking)
        return true;
    part->key = is_text ? anthropic_text : anthropic_thinking;
    return lf__reply_add_string(reply, &part->text, lf__item_member(block, part->key)) && false;
}

static void anthropic_add_text(lf__reply *reply, lf__item event, lf__reply_part *part, const char *key, lf__item text)
{
    if (part->is_raw || !lf__reply_add_string(reply, &part->text, text))
        return;
    part->key = key;
    lf__reply_learn(reply, event, text, &part->text);
}

static void anthropic_set_text(lf__reply *reply, lf__reply_part *part, const char *key, lf__item value)
{
    if (!lf__reply_set_json(reply, &part->text, value))
        return;
    part->key = key;
    part->is_raw = true;
}

/* A block has one of the two. */
static bool anthropic_claims_more(lf__reply_part *part, const char *key)
{
    if (part->more_key == NULL)
        part->more_key = key;
    return part->more_key == key;
}

static bool anthropic_continue_block(lf__reply *reply, lf__item event)
{
    lf__item delta = lf__item_member(event, "delta"), type = lf__item_member(delta, "type");
    lf__reply_list *blocks = anthropic_blocks(reply);
    int64_t index = -1;
    (void)lf__item_int(lf__item_member(event, "index"), &index);
    lf__reply_part *part = blocks == NULL ? NULL : lf__reply_part_at(blocks, index);
    if (part == NULL)
        return false;
    lf__item signature = lf__item_member(delta, "signature"), citation = lf__item_member(delta, "citation");
    if (lf__item_equals(type, "text_delta"))
        anthropic_add_text(reply, event, part, anthropic_text, lf__item_member(delta, "text"));
    else if (lf__item_equals(type, "thinking_delta"))
        anthropic_add_text(reply, event, part, anthropic_thinking, lf__item_member(delta, "thinking"));
    else if (lf__item_equals(type, "input_json_delta"))
        anthropic_add_text(reply, event, part, anthropic_input, lf__item_member(delta, "partial_json"));
    else if (lf__item_equals(type, "compaction_delta"))
        anthropic_set_text(reply, part, "content", lf__item_member(delta, "content"));
    else if (lf__item_begins(signature) == '"' && anthropic_claims_more(part, anthropic_signature))
        (void)lf__reply_set_string(reply, &part->more, signature);
    else if (!lf__item_is_null(citation) && anthropic_claims_more(part, anthropic_citations))
        (void)lf__reply_add_item(reply, &part->more, lf__item_json(citation));
    return !lf__item_equals(type, "signature_delta");
}

/* ---- Events ------------------------------------------------------------------------------------------------------- */

bool lf__reply_anthropic_event(lf__reply *reply, lf__item event)
{
    lf__item type = lf__item_member(event, "type");
    if (lf__item_equals(type, "content_block_delta"))
        return anthropic_continue_block(reply, event);
    if (lf__item_equals(type, "content_block_start"))
        return anthropic_begin_block(reply, event);
    if (lf__item_equals(type, "message_start")) {
        anthropic_take_head(reply, lf__item_member(event, "message"));
    } else if (lf__item_equals(type, "message_delta")) {
        anthropic_take_stop(reply, lf__item_member(event, "delta"));
        anthropic_take_usage(reply, lf__item_member(event, "usage"));
    } else if (lf__item_equals(type, "message_stop")) {
        reply->done = true;
    } else if (lf__item_begins(lf__item_member(event, "content")) == '[') { /* not streamed */
        anthropic_take_head(reply, event);
        anthropic_take_stop(reply, event);
        (void)lf__reply_set_media(reply, &reply->whole, lf__item_member(event, "content"));
        reply->done = true;
        return true;
    }
    return false;
}

/* ---- Output ------------------------------------------------------------------------------------------------------- */

/* The input of a tool is an object once it is complete; before, it is text. */
static void anthropic_put_input(lf__buf *out, const lf__buf *text)
{
    lf__buf input;
    lf__buf_init(&input, LF__EVENT_MAX);
    bool ok = lf__json_unescape(&input, text->data, text->length) && lf__json_valid(input.data, input.length);
    if (ok)
        lf__reply_put_json(out, "input", lf__buf_text(&input));
    else
        lf__reply_put_string(out, "input", text);
    lf__buf_done(&input);
}

static void anthropic_put_block(lf__buf *out, const lf__reply_part *part)
{
    const char *more = part->more.length == 0 ? NULL : part->more_key;
    LF__BUF_ADD(out, "{");
    lf__reply_put_members(out, lf__buf_text(&part->json), part->key, more);
    if (part->key == anthropic_input && !part->is_raw)
        anthropic_put_input(out, &part->text);
    else if (part->key != NULL && part->is_raw)
        lf__reply_put_json(out, part->key, lf__buf_text(&part->text));
    else if (part->key != NULL)
        lf__reply_put_string(out, part->key, &part->text);
    if (more == anthropic_citations) {
        lf__reply_put_json(out, more, (lf__text)LF__TEXT("["));
        lf__buf_add(out, part->more.data, part->more.length);
        LF__BUF_ADD(out, "]");
    } else if (more != NULL) {
        lf__reply_put_string(out, more, &part->more);
    }
    LF__BUF_ADD(out, "}");
}

void lf__reply_anthropic_output(lf__reply *reply, lf__buf *out)
{
    const lf__reply_choice *choices = reply->choices.items;
    if (reply->whole.length == 0 && reply->choices.count == 0 && reply->id.length == 0)
        return;
    LF__BUF_ADD(out, "{\"role\":\"assistant\",\"content\":");
    if (reply->whole.length > 0) {
        lf__buf_add(out, reply->whole.data, reply->whole.length);
    } else {
        LF__BUF_ADD(out, "[");
        for (size_t i = 0; reply->choices.count > 0 && i < choices[0].parts.count; i++) {
            lf__buf_add(out, ",", i > 0);
            anthropic_put_block(out, (const lf__reply_part *)choices[0].parts.items + i);
        }
        LF__BUF_ADD(out, "]");
    }
    LF__BUF_ADD(out, "}");
}
