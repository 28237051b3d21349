#include "reply_state.h"

/* Gemini: each event is a whole response, whose candidates bring further parts. */

static const char gemini_text[] = "text";

/* Only a text, and whether it is a thought: such neighbours are one. */
static bool gemini_is_plain(lf__item part)
{
    if (lf__item_begins(lf__item_member(part, "text")) != '"')
        return false;
    for (lf__item member = lf__item_first(part); lf__item_is(member); member = lf__item_next(part, member)) {
        if (!lf__item_is_named(member, "text") && !lf__item_is_named(member, "thought"))
            return false;
    }
    return true;
}

static void gemini_add_part(lf__reply *reply, lf__reply_choice *choice, lf__item item)
{
    lf__reply_part *parts = choice->parts.items;
    lf__reply_part *last = choice->parts.count == 0 ? NULL : &parts[choice->parts.count - 1];
    bool is_plain = gemini_is_plain(item), is_thought = lf__item_is_true(lf__item_member(item, "thought"));
    if (!is_plain || last == NULL || last->key != gemini_text || (last->index != 0) != is_thought) {
        last = lf__reply_list_grow(reply, &choice->parts, sizeof *last);
        if (last == NULL)
            return;
        last->key = is_plain ? gemini_text : NULL;
        last->index = is_thought; /* of a text */
    }
    if (is_plain)
        (void)lf__reply_add_string(reply, &last->text, lf__item_member(item, "text"));
    else
        (void)lf__reply_set_media(reply, &last->json, item);
}

static bool gemini_add_candidate(lf__reply *reply, lf__item candidate, int64_t place)
{
    int64_t index = place;
    if (lf__item_begins(candidate) != '{')
        return false;
    (void)lf__item_int(lf__item_member(candidate, "index"), &index);
    lf__reply_choice *choice = lf__reply_choice_at(reply, index);
    if (choice == NULL)
        return false;
    (void)lf__reply_set_json(reply, &choice->finish_reason, lf__item_member(candidate, "finishReason"));
    lf__reply_note(reply, "finish_message", lf__item_member(candidate, "finishMessage"));
    lf__item content = lf__item_member(candidate, "content"), parts = lf__item_member(content, "parts");
    (void)lf__reply_set_string(reply, &choice->role, lf__item_member(content, "role"));
    if (lf__item_begins(parts) != '[')
        return false;
    bool any = false;
    for (lf__item part = lf__item_first(parts); lf__item_is(part); part = lf__item_next(parts, part)) {
        gemini_add_part(reply, choice, part);
        any = true;
    }
    return any;
}

/* The only value of a list; none: it has another number of them. */
static lf__item gemini_only(lf__item list)
{
    lf__item first = lf__item_first(list);
    bool is_only = lf__item_begins(list) == '[' && lf__item_is(first) && !lf__item_is(lf__item_next(list, first));
    return is_only ? first : (lf__item){list.tree, NULL};
}

/* `root` is the event, with what a gateway puts around it. */
static void gemini_learn(lf__reply *reply, lf__item root, lf__item candidates)
{
    lf__item candidate = gemini_only(candidates), part = gemini_only(lf__item_path(candidate, "content", "parts"));
    lf__item piece = lf__item_member(part, "text");
    int64_t index = 0;
    (void)lf__item_int(lf__item_member(candidate, "index"), &index);
    if (!lf__item_is(part) || !gemini_is_plain(part) || lf__item_string(piece).size == 0)
        return;
    lf__reply_choice *choice = lf__reply_choice_at(reply, index);
    lf__reply_part *parts = choice == NULL ? NULL : choice->parts.items;
    if (choice != NULL && choice->parts.count > 0 && parts[choice->parts.count - 1].key == gemini_text)
        lf__reply_learn(reply, root, piece, &parts[choice->parts.count - 1].text);
}

bool lf__reply_gemini_event(lf__reply *reply, lf__item root)
{
    lf__item response = lf__item_member(root, "response"); /* some gateways wrap it */
    lf__item event = lf__item_begins(response) == '{' ? response : root;
    (void)lf__reply_set_string(reply, &reply->model, lf__item_member(event, "modelVersion"));
    (void)lf__reply_set_json(reply, &reply->id, lf__item_member(event, "responseId"));
    (void)lf__reply_set_json(reply, &reply->usage, lf__item_member(event, "usageMetadata"));
    (void)lf__reply_set_string(reply, &reply->blocked, lf__item_path(event, "promptFeedback", "blockReason"));
    lf__item candidates = lf__item_member(event, "candidates");
    if (lf__item_begins(candidates) != '[')
        return false;
    bool token = false;
    int64_t place = 0;
    for (lf__item item = lf__item_first(candidates); lf__item_is(item); item = lf__item_next(candidates, item))
        token |= gemini_add_candidate(reply, item, place++);
    gemini_learn(reply, root, candidates);
    return token;
}

static void gemini_put_candidate(lf__buf *out, const lf__reply_choice *choice)
{
    const lf__reply_part *parts = choice->parts.items;
    LF__BUF_ADD(out, "{");
    if (choice->role.length > 0)
        lf__reply_put_string(out, "role", &choice->role);
    else
        lf__reply_put_json(out, "role", (lf__text)LF__TEXT("\"model\""));
    lf__reply_put_json(out, "parts", (lf__text)LF__TEXT("["));
    for (size_t i = 0; i < choice->parts.count; i++) {
        lf__buf_add(out, ",", i > 0);
        if (parts[i].key == NULL) {
            lf__reply_put_object(out, &parts[i].json);
            continue;
        }
        LF__BUF_ADD(out, "{");
        lf__reply_put_string(out, "text", &parts[i].text);
        lf__buf_add_text(out, parts[i].index != 0 ? ",\"thought\":true}" : "}");
    }
    LF__BUF_ADD(out, "]}");
}

void lf__reply_gemini_output(lf__reply *reply, lf__buf *out)
{
    const lf__reply_choice *choices = reply->choices.items;
    size_t count = reply->choices.count;
    if (count == 0 || (count == 1 && choices[0].parts.count == 0))
        return;
    lf__buf_add(out, "[", count > 1);
    for (size_t i = 0; i < count; i++) {
        lf__buf_add(out, ",", i > 0);
        gemini_put_candidate(out, &choices[i]);
    }
    lf__buf_add(out, "]", count > 1);
}
