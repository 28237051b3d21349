#define _GNU_SOURCE
#include "reply_state.h"

/* OpenAI's chat completions and completions, in the dialects of all servers that speak them: chunks of a stream with `delta`, and whole
 * replies with `message` or `text`.
 */

/* Members of a message; the texts come first, in the order of LF__REPLY_CONTENT and so on. */
enum {
    CHAT_TEXTS = LF__REPLY_THINKING,
    CHAT_TOOLS = CHAT_TEXTS,
    CHAT_FUNCTION,
    CHAT_AUDIO,
    CHAT_ROLE,
    CHAT_ANNOTATIONS,
    CHAT_KEYS
};
static const lf__text chat_keys[CHAT_KEYS] = {
    [LF__REPLY_CONTENT] = LF__TEXT("content"),
    [LF__REPLY_REFUSAL] = LF__TEXT("refusal"),
    [LF__REPLY_REASONING] = LF__TEXT("reasoning"),
    [LF__REPLY_REASONING_CONTENT] = LF__TEXT("reasoning_content"),
    [CHAT_TOOLS] = LF__TEXT("tool_calls"),
    [CHAT_FUNCTION] = LF__TEXT("function_call"),
    [CHAT_AUDIO] = LF__TEXT("audio"),
    [CHAT_ROLE] = LF__TEXT("role"),
    [CHAT_ANNOTATIONS] = LF__TEXT("annotations"),
};

/* ---- Calls of tools ----------------------------------------------------------------------------------------------- */

static lf__reply_tool *chat_new_tool(lf__reply *reply, lf__reply_list *tools, int64_t index)
{
    lf__reply_tool *tool = lf__reply_list_grow(reply, tools, sizeof *tool);
    if (tool != NULL)
        tool->index = index;
    return tool;
}

/* By index; without one by id; without that it goes on with the last one. */
static lf__reply_tool *chat_find_tool(lf__reply *reply, lf__reply_list *tools, lf__item delta)
{
    lf__reply_tool *list = tools->items;
    int64_t index;
    bool has_index = lf__item_int(lf__item_member(delta, "index"), &index);
    lf__text id = lf__item_string(lf__item_member(delta, "id"));
    for (size_t i = 0; i < tools->count; i++)
        if (has_index ? list[i].index == index : id.size > 0 && lf__text_equals(lf__buf_text(&list[i].id), id))
            return &list[i];
    if (!has_index && id.size == 0 && tools->count > 0)
        return &list[tools->count - 1];
    return chat_new_tool(reply, tools, has_index ? index : -1);
}

void lf__reply_add_tool(lf__reply *reply, lf__reply_choice *choice, lf__item delta, bool is_whole)
{
    if (lf__item_begins(delta) != '{')
        return;
    lf__reply_tool *tool = is_whole ? chat_new_tool(reply, &choice->tools, -1) : chat_find_tool(reply, &choice->tools, delta);
    if (tool == NULL)
        return;
    lf__item custom = lf__item_member(delta, "custom"), function = lf__item_member(delta, "function");
    tool->is_custom |= lf__item_begins(custom) == '{';
    lf__item called = tool->is_custom ? custom : function;
    lf__item arguments = lf__item_member(called, tool->is_custom ? "input" : "arguments");
    (void)lf__reply_set_string(reply, &tool->id, lf__item_member(delta, "id"));
    (void)lf__reply_set_string(reply, &tool->type, lf__item_member(delta, "type"));
    if (tool->name.length == 0)
        (void)lf__reply_set_string(reply, &tool->name, lf__item_member(called, "name"));
    if (lf__item_begins(arguments) != '"')
        tool->is_raw |= lf__reply_set_json(reply, &tool->arguments, arguments);
    else if (!tool->is_raw)
        (void)lf__reply_add_string(reply, &tool->arguments, arguments);
}

static void chat_put_tool(lf__buf *out, const lf__reply_tool *tool)
{
    lf__reply_put_comma(out);
    LF__BUF_ADD(out, "{");
    if (tool->id.length > 0)
        lf__reply_put_string(out, "id", &tool->id);
    if (tool->type.length > 0)
        lf__reply_put_string(out, "type", &tool->type);
    lf__reply_put_json(out, tool->is_custom ? "custom" : "function", (lf__text)LF__TEXT("{"));
    lf__reply_put_string(out, "name", &tool->name);
    const char *key = tool->is_custom ? "input" : "arguments";
    if (tool->is_raw)
        lf__reply_put_json(out, key, lf__buf_text(&tool->arguments));
    else
        lf__reply_put_string(out, key, &tool->arguments);
    LF__BUF_ADD(out, "}}");
}

/* ---- Contents that are a list ------------------------------------------------------------------------------------- */

/* The text of thinking: a string, or a list of texts (Mistral). */
static void chat_add_thinking(lf__reply *reply, lf__buf *to, lf__item thinking)
{
    (void)lf__reply_add_string(reply, to, thinking);
    if (lf__item_begins(thinking) != '[')
        return;
    for (lf__item item = lf__item_first(thinking); lf__item_is(item); item = lf__item_next(thinking, item))
        (void)lf__reply_add_string(reply, to, lf__item_member(item, "text"));
}

/* The last part, if it is of this kind, or a new one. */
static lf__reply_part *chat_part(lf__reply *reply, lf__reply_choice *choice, const char *key)
{
    lf__reply_part *parts = choice->parts.items;
    lf__reply_part *last = choice->parts.count == 0 ? NULL : &parts[choice->parts.count - 1];
    if (last != NULL && key != NULL && last->key == key)
        return last;
    lf__reply_part *part = lf__reply_list_grow(reply, &choice->parts, sizeof *part);
    if (part != NULL)
        part->key = key;
    return part;
}

static const char chat_text[] = "text", chat_thinking[] = "thinking"; /* keys of parts, compared by address */

static void chat_add_text_part(lf__reply *reply, lf__reply_choice *choice, lf__item text)
{
    lf__reply_part *part = lf__item_string(text).size == 0 ? NULL : chat_part(reply, choice, chat_text);
    if (part != NULL)
        (void)lf__reply_add_string(reply, &part->text, text);
}

/* The text so far becomes the first part. */
static void chat_make_list(lf__reply *reply, lf__reply_choice *choice)
{
    lf__buf *text = &choice->texts[LF__REPLY_CONTENT];
    lf__reply_part *part = text->length == 0 ? NULL : chat_part(reply, choice, chat_text);
    if (part == NULL)
        return;
    lf__buf_done(&part->text);
    part->text = *text;
    *text = (lf__buf){0};
}

static void chat_add_part(lf__reply *reply, lf__reply_choice *choice, lf__item item)
{
    lf__item type = lf__item_member(item, "type");
    if (lf__item_equals(type, "text")) {
        chat_add_text_part(reply, choice, lf__item_member(item, "text"));
    } else if (lf__item_equals(type, "thinking")) {
        lf__reply_part *part = chat_part(reply, choice, chat_thinking);
        if (part != NULL)
            chat_add_thinking(reply, &part->text, lf__item_member(item, "thinking"));
    } else if (!lf__item_is_null(item)) {
        lf__reply_part *part = chat_part(reply, choice, NULL);
        if (part != NULL)
            (void)lf__reply_set_media(reply, &part->json, item);
    }
}

/* A text becomes the first part once a list comes; later texts are parts, too. */
static void chat_add_content(lf__reply *reply, lf__reply_choice *choice, lf__item content)
{
    lf__buf *text = &choice->texts[LF__REPLY_CONTENT];
    bool is_list = lf__item_begins(content) == '[';
    choice->has_content = true;
    choice->has_list |= is_list;
    choice->has_text[LF__REPLY_CONTENT] |= lf__item_begins(content) == '"';
    if (!choice->has_list) {
        (void)lf__reply_add_string(reply, text, content);
        return;
    }
    chat_make_list(reply, choice);
    if (!is_list)
        chat_add_text_part(reply, choice, content);
    else
        for (lf__item item = lf__item_first(content); lf__item_is(item); item = lf__item_next(content, item))
            chat_add_part(reply, choice, item);
}

static void chat_put_part(lf__buf *out, const lf__reply_part *part)
{
    lf__reply_put_comma(out);
    if (part->key == NULL) {
        lf__reply_put_object(out, &part->json);
        return;
    }
    bool thinks = part->key == chat_thinking;
    lf__buf_add_text(out, thinks ? "{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\"" : "{\"type\":\"text\"");
    lf__reply_put_string(out, "text", &part->text);
    lf__buf_add_text(out, thinks ? "}]}" : "}");
}

/* ---- Pieces of a message ------------------------------------------------------------------------------------------ */

static void chat_add_function(lf__reply *reply, lf__reply_choice *choice, lf__item function)
{
    if (lf__item_begins(function) != '{')
        return;
    choice->has_function = true;
    if (choice->function_name.length == 0)
        (void)lf__reply_set_string(reply, &choice->function_name, lf__item_member(function, "name"));
    (void)lf__reply_add_string(reply, &choice->function_arguments, lf__item_member(function, "arguments"));
}

/* A chunk may repeat it: the first one stays. */
static void chat_add_audio_member(lf__reply *reply, lf__buf *to, lf__item member)
{
    lf__text key = lf__item_key(member), value = lf__item_json(member);
    const char *from = key.at - 1; /* its quote */
    if (to->length == 0 || memmem(to->data, to->length, from, key.size + 2) == NULL)
        (void)lf__reply_add_item(reply, to, (lf__text){from, (size_t)(value.at + value.size - from)});
}

static void chat_add_audio(lf__reply *reply, lf__reply_choice *choice, lf__item audio)
{
    if (lf__item_begins(audio) != '{')
        return;
    choice->has_audio = true;
    (void)lf__reply_add_string(reply, &choice->audio_data, lf__item_member(audio, "data"));
    (void)lf__reply_add_string(reply, &choice->audio_transcript, lf__item_member(audio, "transcript"));
    for (lf__item member = lf__item_first(audio); lf__item_is(member); member = lf__item_next(audio, member)) {
        if (lf__item_is_named(member, "data") || lf__item_is_named(member, "transcript") || lf__item_is_null(member))
            continue;
        chat_add_audio_member(reply, &choice->audio_rest, member);
    }
}

static void chat_add_annotations(lf__reply *reply, lf__reply_choice *choice, lf__item list)
{
    if (lf__item_begins(list) != '[')
        return;
    for (lf__item item = lf__item_first(list); lf__item_is(item); item = lf__item_next(list, item))
        (void)lf__reply_add_item(reply, &choice->annotations, lf__item_json(item));
}

/* Does it say anything? An empty text does not. */
static bool chat_says(lf__item item)
{
    lf__text json = lf__item_json(item);
    return !lf__item_is_null(item) && !lf__text_equals(json, (lf__text)LF__TEXT("\"\"")) &&
           !lf__text_equals(json, (lf__text)LF__TEXT("[]")) && !lf__text_equals(json, (lf__text)LF__TEXT("{}"));
}

static void chat_add_tools(lf__reply *reply, lf__reply_choice *choice, lf__item calls)
{
    if (lf__item_begins(calls) == '[')
        for (lf__item call = lf__item_first(calls); lf__item_is(call); call = lf__item_next(calls, call))
            lf__reply_add_tool(reply, choice, call, false);
}

/* True: it carries a token. */
static bool chat_add_member(lf__reply *reply, lf__reply_choice *choice, int key, lf__item member)
{
    switch (key) {
    case LF__REPLY_CONTENT: chat_add_content(reply, choice, member); break;
    case CHAT_TOOLS: chat_add_tools(reply, choice, member); break;
    case CHAT_FUNCTION: chat_add_function(reply, choice, member); break;
    case CHAT_AUDIO: chat_add_audio(reply, choice, member); break;
    case CHAT_ROLE: (void)lf__reply_set_string(reply, &choice->role, member); return false;
    case CHAT_ANNOTATIONS: chat_add_annotations(reply, choice, member); return false;
    default:
        choice->has_text[key] |= lf__item_begins(member) == '"';
        (void)lf__reply_add_string(reply, &choice->texts[key], member);
    }
    return chat_says(member);
}

static bool chat_add_delta(lf__reply *reply, lf__reply_choice *choice, lf__item delta)
{
    lf__item members[CHAT_KEYS];
    bool token = false;
    lf__item_members(delta, chat_keys, CHAT_KEYS, members);
    for (int i = 0; i < CHAT_KEYS; i++)
        if (lf__item_is(members[i]))
            token |= chat_add_member(reply, choice, i, members[i]);
    return token;
}

/* ---- Events ------------------------------------------------------------------------------------------------------- */

enum { CHOICE_INDEX, CHOICE_DELTA, CHOICE_MESSAGE, CHOICE_TEXT, CHOICE_FINISH, CHOICE_NATIVE, CHOICE_STOP, CHOICE_KEYS };
static const lf__text chat_choice_keys[CHOICE_KEYS] = {
    [CHOICE_INDEX] = LF__TEXT("index"),          [CHOICE_DELTA] = LF__TEXT("delta"),
    [CHOICE_MESSAGE] = LF__TEXT("message"),      [CHOICE_TEXT] = LF__TEXT("text"),
    [CHOICE_FINISH] = LF__TEXT("finish_reason"), [CHOICE_NATIVE] = LF__TEXT("native_finish_reason"),
    [CHOICE_STOP] = LF__TEXT("stop_reason"),
};

static bool chat_add_choice(lf__reply *reply, lf__item item, int64_t place)
{
    lf__item members[CHOICE_KEYS];
    lf__item_members(item, chat_choice_keys, CHOICE_KEYS, members);
    lf__item message = members[CHOICE_MESSAGE], text = members[CHOICE_TEXT], finish = members[CHOICE_FINISH];
    int64_t index;
    if (!lf__item_int(members[CHOICE_INDEX], &index))
        index = lf__item_is(message) ? place : 0;
    bool has_finish = lf__item_string(finish).size > 0;
    if (!has_finish && !lf__item_is(members[CHOICE_DELTA]) && lf__item_is_null(message) && !lf__item_is(text))
        return false; /* a filter's verdict */
    lf__reply_choice *choice = lf__reply_choice_at(reply, index);
    if (choice == NULL)
        return false;
    if (has_finish)
        (void)lf__reply_set_json(reply, &choice->finish_reason, finish);
    lf__reply_note(reply, "native_finish_reason", members[CHOICE_NATIVE]);
    lf__reply_note(reply, "stop_reason", members[CHOICE_STOP]);
    if (lf__item_begins(message) == '{')
        return lf__reply_set_media(reply, &choice->message, message);
    if (lf__item_begins(text) == '"' || (lf__item_is(text) && !lf__item_is(members[CHOICE_DELTA]))) {
        choice->is_text = true;
        return lf__reply_add_string(reply, &choice->texts[LF__REPLY_CONTENT], text);
    }
    return chat_add_delta(reply, choice, members[CHOICE_DELTA]);
}

void lf__reply_take_tier(lf__reply *reply, lf__item tier)
{
    if (reply->service_tier.length == 0)
        (void)lf__reply_set_json(reply, &reply->service_tier, tier);
}

enum {
    EVENT_MODEL,
    EVENT_ID,
    EVENT_USAGE,
    EVENT_TIMINGS,
    EVENT_GROQ,
    EVENT_FINGERPRINT,
    EVENT_PROVIDER,
    EVENT_TIER,
    EVENT_CHOICES,
    EVENT_KEYS
};
static const lf__text chat_event_keys[EVENT_KEYS] = {
    [EVENT_MODEL] = LF__TEXT("model"),       [EVENT_ID] = LF__TEXT("id"),
    [EVENT_USAGE] = LF__TEXT("usage"),       [EVENT_TIMINGS] = LF__TEXT("timings"),
    [EVENT_GROQ] = LF__TEXT("x_groq"),       [EVENT_FINGERPRINT] = LF__TEXT("system_fingerprint"),
    [EVENT_PROVIDER] = LF__TEXT("provider"), [EVENT_TIER] = LF__TEXT("service_tier"),
    [EVENT_CHOICES] = LF__TEXT("choices"),
};

static void chat_take_groq(lf__reply *reply, lf__item groq)
{
    lf__item usage = lf__item_member(groq, "usage"), error = lf__item_member(groq, "error");
    if (lf__item_begins(usage) == '{')
        (void)lf__reply_set_json(reply, &reply->usage, usage);
    if (lf__item_begins(error) == '"')
        lf__reply_note_error(reply, error);
}

static void chat_take_head(lf__reply *reply, const lf__item members[EVENT_KEYS])
{
    (void)lf__reply_set_string(reply, &reply->model, members[EVENT_MODEL]);
    if (reply->id.length == 0)
        (void)lf__reply_set_json(reply, &reply->id, members[EVENT_ID]);
    if (lf__item_begins(members[EVENT_USAGE]) == '{')
        (void)lf__reply_set_json(reply, &reply->usage, members[EVENT_USAGE]);
    if (lf__item_begins(members[EVENT_TIMINGS]) == '{')
        (void)lf__reply_set_json(reply, &reply->timings, members[EVENT_TIMINGS]);
    if (lf__item_is(members[EVENT_GROQ]))
        chat_take_groq(reply, members[EVENT_GROQ]);
    if (reply->events < 2 || reply->choices.count == 0) { /* they stand in every chunk alike */
        lf__reply_note(reply, "system_fingerprint", members[EVENT_FINGERPRINT]);
        lf__reply_note(reply, "provider", members[EVENT_PROVIDER]);
    }
    lf__reply_take_tier(reply, members[EVENT_TIER]);
}

/* The only member of a delta that adds a text; none: there is no such one, or something else is added. */
static lf__item chat_only_piece(lf__item choices)
{
    lf__item choice = lf__item_first(choices), piece = {choices.tree, NULL}, members[CHAT_KEYS];
    if (!lf__item_is(choice) || lf__item_is(lf__item_next(choices, choice)))
        return piece;
    lf__item_members(lf__item_member(choice, "delta"), chat_keys, CHAT_KEYS, members);
    for (int i = 0; i < CHAT_KEYS; i++) {
        if (i == CHAT_ROLE || !chat_says(members[i]))
            continue;
        if (lf__item_is(piece) || i >= CHAT_TEXTS || lf__item_begins(members[i]) != '"')
            return (lf__item){choices.tree, NULL};
        piece = members[i];
    }
    return piece;
}

static void chat_learn(lf__reply *reply, lf__item event, lf__item choices)
{
    int64_t index = 0;
    lf__item piece = chat_only_piece(choices);
    (void)lf__item_int(lf__item_member(lf__item_first(choices), "index"), &index);
    lf__reply_choice *choice = lf__item_is(piece) ? lf__reply_choice_at(reply, index) : NULL;
    for (int i = 0; choice != NULL && i < CHAT_TEXTS; i++)
        if (lf__item_is_named(piece, chat_keys[i].at) && (i != LF__REPLY_CONTENT || !choice->has_list))
            lf__reply_learn(reply, event, piece, &choice->texts[i]);
}

bool lf__reply_chat_event(lf__reply *reply, lf__item event)
{
    lf__item members[EVENT_KEYS];
    lf__item_members(event, chat_event_keys, EVENT_KEYS, members);
    chat_take_head(reply, members);
    lf__item choices = members[EVENT_CHOICES];
    bool token = false;
    int64_t place = 0;
    if (lf__item_begins(choices) == '[')
        for (lf__item item = lf__item_first(choices); lf__item_is(item); item = lf__item_next(choices, item))
            token |= chat_add_choice(reply, item, place++);
    chat_learn(reply, event, choices);
    return token;
}

/* ---- Output ------------------------------------------------------------------------------------------------------- */

/* As it came, but for members that say null; a content that is null says something beside the calls of tools. */
static void chat_put_whole(lf__buf *out, lf__text message)
{
    lf__json_member member;
    if (!LF__BUF_ADD(out, "{"))
        return;
    for (size_t at = 0; lf__json_next_member(message.at, message.size, &at, &member);) {
        lf__text key = {member.key, member.key_size}, value = {member.value, member.value_size};
        if (value.at[0] == 'n' && !lf__text_equals(key, (lf__text)LF__TEXT("content")))
            continue;
        lf__reply_put_comma(out);
        lf__buf_add(out, key.at - 1, (size_t)(value.at + value.size - key.at) + 1);
    }
    LF__BUF_ADD(out, "}");
}

static void chat_put_content(lf__buf *out, const lf__reply_choice *choice)
{
    const lf__reply_part *parts = choice->parts.items;
    if (choice->has_list) {
        lf__reply_put_json(out, "content", (lf__text)LF__TEXT("["));
        for (size_t i = 0; i < choice->parts.count; i++)
            chat_put_part(out, &parts[i]);
        LF__BUF_ADD(out, "]");
    } else if (choice->has_text[LF__REPLY_CONTENT]) {
        lf__reply_put_string(out, "content", &choice->texts[LF__REPLY_CONTENT]);
    } else if (choice->has_content) {
        lf__reply_put_json(out, "content", (lf__text)LF__TEXT("null"));
    }
}

static void chat_put_audio(lf__buf *out, const lf__reply_choice *choice)
{
    lf__reply_put_json(out, "audio", (lf__text)LF__TEXT("{"));
    lf__buf_add(out, choice->audio_rest.data, choice->audio_rest.length);
    if (choice->audio_data.length > 0)
        lf__reply_put_string(out, "data", &choice->audio_data);
    if (choice->audio_transcript.length > 0)
        lf__reply_put_string(out, "transcript", &choice->audio_transcript);
    LF__BUF_ADD(out, "}");
}

static void chat_put_message(lf__buf *out, const lf__reply_choice *choice)
{
    LF__BUF_ADD(out, "{");
    if (choice->role.length > 0)
        lf__reply_put_string(out, "role", &choice->role);
    else
        lf__reply_put_json(out, "role", (lf__text)LF__TEXT("\"assistant\""));
    chat_put_content(out, choice);
    for (int i = LF__REPLY_CONTENT + 1; i < CHAT_TEXTS; i++)
        if (choice->has_text[i])
            lf__reply_put_string(out, chat_keys[i].at, &choice->texts[i]);
    if (choice->has_text[LF__REPLY_THINKING])
        lf__reply_put_string(out, "thinking", &choice->texts[LF__REPLY_THINKING]);
    const lf__reply_tool *tools = choice->tools.items;
    if (choice->tools.count > 0) {
        lf__reply_put_json(out, "tool_calls", (lf__text)LF__TEXT("["));
        for (size_t i = 0; i < choice->tools.count; i++)
            chat_put_tool(out, &tools[i]);
        LF__BUF_ADD(out, "]");
    }
    if (choice->has_function) {
        lf__reply_put_json(out, "function_call", (lf__text)LF__TEXT("{"));
        lf__reply_put_string(out, "name", &choice->function_name);
        lf__reply_put_string(out, "arguments", &choice->function_arguments);
        LF__BUF_ADD(out, "}");
    }
    if (choice->has_audio)
        chat_put_audio(out, choice);
    if (choice->annotations.length > 0) {
        lf__reply_put_json(out, "annotations", (lf__text)LF__TEXT("["));
        lf__buf_add(out, choice->annotations.data, choice->annotations.length);
        LF__BUF_ADD(out, "]");
    }
    LF__BUF_ADD(out, "}");
}

static void chat_put_choice(lf__buf *out, const lf__reply_choice *choice)
{
    if (choice->message.length > 0) {
        chat_put_whole(out, lf__buf_text(&choice->message));
    } else if (choice->is_text) {
        lf__reply_put_quoted(out, &choice->texts[LF__REPLY_CONTENT]);
    } else {
        chat_put_message(out, choice);
    }
}

void lf__reply_chat_output(lf__reply *reply, lf__buf *out)
{
    const lf__reply_choice *choices = reply->choices.items;
    size_t count = reply->choices.count;
    lf__buf_add(out, "[", count > 1);
    for (size_t i = 0; i < count; i++) {
        lf__buf_add(out, ",", i > 0);
        chat_put_choice(out, &choices[i]);
    }
    lf__buf_add(out, "]", count > 1);
}
