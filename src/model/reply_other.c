#include "reply_state.h"

#include "media.h"

#include <stdio.h>

/* Replies that are shorter than a page of rules: Ollama, llama.cpp, embeddings, images, speech, and all whose API is not known. */

enum { OTHER_COUNTS_TEXT = 160, OTHER_BASE64_OF_FLOAT_3 = 16 /* characters of base64 for three floats of four bytes */ };

/* Results that say no index stand in a list in the order of the prompts. */
static lf__reply_choice *other_choice(lf__reply *reply, lf__item event)
{
    int64_t index = reply->frames.framing == LF__FRAMING_LIST ? reply->events : 0;
    (void)lf__item_int(lf__item_member(event, "index"), &index);
    return lf__reply_choice_at(reply, index);
}

static bool other_add_text(lf__reply *reply, lf__item event, const char *key)
{
    lf__reply_choice *choice = other_choice(reply, event);
    if (choice == NULL)
        return false;
    choice->is_text = true;
    return lf__reply_add_string(reply, &choice->texts[LF__REPLY_CONTENT], lf__item_member(event, key));
}

/* ---- Ollama ------------------------------------------------------------------------------------------------------- */

static bool other_ollama_add(lf__reply *reply, lf__reply_choice *choice, int text, lf__item item)
{
    bool any = lf__reply_add_string(reply, &choice->texts[text], item);
    choice->has_text[text] |= any;
    choice->has_content |= any && text == LF__REPLY_CONTENT;
    return any;
}

static bool other_ollama_message(lf__reply *reply, lf__item event, lf__item message, lf__item content, lf__item thinking)
{
    lf__reply_choice *choice = lf__reply_choice_at(reply, 0);
    if (choice == NULL)
        return false;
    bool speaks = other_ollama_add(reply, choice, LF__REPLY_CONTENT, content);
    bool thinks = other_ollama_add(reply, choice, LF__REPLY_THINKING, thinking), token = speaks || thinks;
    lf__item tools = lf__item_member(message, "tool_calls");
    if (speaks != thinks && !lf__item_is(lf__item_first(tools)))
        lf__reply_learn(reply, event, speaks ? content : thinking, &choice->texts[speaks ? LF__REPLY_CONTENT : LF__REPLY_THINKING]);
    if (lf__item_begins(tools) != '[')
        return token;
    for (lf__item call = lf__item_first(tools); lf__item_is(call); call = lf__item_next(tools, call)) {
        lf__reply_add_tool(reply, choice, call, true);
        token = true;
    }
    return token;
}

static void other_ollama_end(lf__reply *reply, lf__item event)
{
    static const char *const noted[] = {"total_duration", "load_duration", "prompt_eval_duration", "eval_duration"};
    reply->done = true;
    (void)lf__reply_set_json(reply, &reply->finish_reason, lf__item_member(event, "done_reason"));
    for (size_t i = 0; i < sizeof noted / sizeof *noted; i++)
        lf__reply_note(reply, noted[i], lf__item_member(event, noted[i]));
}

/* An object of the counts among the event's members. */
static void other_take_counts(lf__reply *reply, lf__item event, const char *first, const char *second)
{
    int64_t a, b;
    bool has_a = lf__item_int(lf__item_member(event, first), &a), has_b = lf__item_int(lf__item_member(event, second), &b);
    char text[OTHER_COUNTS_TEXT], *at = text, *end = text + sizeof text;
    if (has_a)
        at += snprintf(at, (size_t)(end - at), "{\"%s\":%lld", first, (long long)a);
    if (has_b)
        at += snprintf(at, (size_t)(end - at), "%c\"%s\":%lld", has_a ? ',' : '{', second, (long long)b);
    if (has_a || has_b) {
        *at++ = '}';
        lf__reply_set(reply, &reply->usage, (lf__text){text, (size_t)(at - text)});
    }
}

static bool other_ollama_event(lf__reply *reply, lf__item event)
{
    lf__item message = lf__item_member(event, "message");
    bool is_chat = lf__item_begins(message) == '{';
    (void)lf__reply_set_string(reply, &reply->model, lf__item_member(event, "model"));
    other_take_counts(reply, event, "prompt_eval_count", "eval_count");
    bool token = false;
    if (is_chat || lf__item_is(lf__item_member(event, "response")))
        token = other_ollama_message(reply, event, message,
                                     is_chat ? lf__item_member(message, "content") : lf__item_member(event, "response"),
                                     lf__item_member(is_chat ? message : event, "thinking"));
    if (lf__item_is_true(lf__item_member(event, "done")))
        other_ollama_end(reply, event);
    return token;
}

/* ---- llama.cpp ---------------------------------------------------------------------------------------------------- */

/* Older servers say it in three yes or no. */
static const char *other_llama_reason(lf__item event)
{
    return lf__item_is_true(lf__item_member(event, "stopped_eos"))     ? "\"eos\""
           : lf__item_is_true(lf__item_member(event, "stopped_limit")) ? "\"limit\""
           : lf__item_is_true(lf__item_member(event, "stopped_word"))  ? "\"word\""
                                                                       : "\"stop\"";
}

/* Each of several prompts has counts of its own. */
static void other_llama_count(lf__reply *reply, lf__item event)
{
    int64_t counts[3] = {0};
    (void)lf__item_int(lf__item_member(event, "tokens_evaluated"), &counts[0]);
    (void)lf__item_int(lf__item_member(event, "tokens_predicted"), &counts[1]);
    (void)lf__item_int(lf__item_path(event, "timings", "cache_n"), &counts[2]);
    for (int i = 0; i < 3; i++)
        if (counts[i] < 0 || __builtin_add_overflow(reply->counts[i], counts[i], &reply->counts[i]))
            return;
    char text[OTHER_COUNTS_TEXT];
    int size = snprintf(text, sizeof text, "{\"tokens_evaluated\":%lld,\"tokens_predicted\":%lld,\"timings\":{\"cache_n\":%lld}}",
                        (long long)reply->counts[0], (long long)reply->counts[1], (long long)reply->counts[2]);
    if (size > 0 && (size_t)size < sizeof text)
        lf__reply_set(reply, &reply->usage, (lf__text){text, (size_t)size});
}

static bool other_llama_event(lf__reply *reply, lf__item event)
{
    (void)lf__reply_set_string(reply, &reply->model, lf__item_member(event, "model"));
    bool token = lf__item_is(lf__item_member(event, "content")) && other_add_text(reply, event, "content");
    lf__item stop = lf__item_member(event, "stop");
    lf__reply_choice *choice = token || lf__item_is_true(stop) ? other_choice(reply, event) : NULL;
    if (choice == NULL)
        return false;
    if (!lf__item_is_true(stop)) {
        if (reply->frames.framing == LF__FRAMING_SSE) /* in a list, place counts where there is no index */
            lf__reply_learn(reply, event, lf__item_member(event, "content"), &choice->texts[LF__REPLY_CONTENT]);
        return token;
    }
    reply->done = true;
    if (!lf__reply_set_json(reply, &choice->finish_reason, lf__item_member(event, "stop_type")))
        lf__reply_set(reply, &choice->finish_reason, lf__text_of(other_llama_reason(event)));
    if (lf__item_string(lf__item_member(event, "stopping_word")).size > 0)
        lf__reply_note(reply, "stopping_word", lf__item_member(event, "stopping_word"));
    if (lf__item_is_true(lf__item_member(event, "truncated")))
        lf__reply_note(reply, "truncated_prompt", lf__item_member(event, "truncated"));
    lf__reply_note(reply, "timings", lf__item_member(event, "timings"));
    other_llama_count(reply, event);
    return token;
}

/* ---- Embeddings --------------------------------------------------------------------------------------------------- */

/* Vectors are counted on the way in (frames.h): a vector is the list of its length. */
static void other_count_vector(lf__reply *reply, lf__item vector)
{
    lf__item first = lf__item_first(vector);
    int64_t length = 0;
    if (lf__item_begins(vector) == '{') {
        other_count_vector(reply, lf__item_member(vector, "values"));
    } else if (lf__item_begins(vector) == '"') { /* floats of four bytes as base64 */
        lf__text text = lf__item_string(vector);
        reply->vectors++;
        if (reply->dimensions == 0)
            reply->dimensions = text.size / OTHER_BASE64_OF_FLOAT_3 * 3 + (text.size % OTHER_BASE64_OF_FLOAT_3) * 3 / 16;
    } else if (vector.node != NULL && vector.node->numbers > 0) {
        lf__text inner = lf__text_trim(lf__item_json(vector), "[] \t\r\n");
        for (size_t i = 0; i < inner.size && inner.at[i] >= '0' && inner.at[i] <= '9'; i++)
            length = length < INT32_MAX ? length * 10 + (inner.at[i] - '0') : length;
        reply->vectors++;
        if (reply->dimensions == 0)
            reply->dimensions = (uint64_t)length;
    } else {
        for (; lf__item_is(first); first = lf__item_next(vector, first))
            other_count_vector(reply, first);
    }
}

static void other_count_vectors(lf__reply *reply, lf__item list)
{
    if (lf__item_begins(list) != '[')
        return;
    for (lf__item item = lf__item_first(list); lf__item_is(item); item = lf__item_next(list, item)) {
        lf__item inner = lf__item_member(item, "embedding");
        if (!lf__item_is(inner))
            inner = lf__item_path(item, "embeddings", "values"); /* Vertex */
        other_count_vector(reply, lf__item_is(inner)             ? inner
                                  : lf__item_begins(item) == '{' ? lf__item_member(item, "values")
                                                                 : item);
    }
}

static bool other_embedding_event(lf__reply *reply, lf__item event)
{
    (void)lf__reply_set_string(reply, &reply->model, lf__item_member(event, "model"));
    (void)lf__reply_set_json(reply, &reply->id, lf__item_member(event, "id"));
    if (!lf__reply_set_json(reply, &reply->usage, lf__item_member(event, "usage")) &&
        !lf__reply_set_json(reply, &reply->usage, lf__item_member(event, "usageMetadata")))
        other_take_counts(reply, event, "prompt_eval_count", "eval_count");
    other_count_vectors(reply, event); /* where it is a list */
    other_count_vectors(reply, lf__item_member(event, "data"));
    other_count_vectors(reply, lf__item_member(event, "embeddings"));
    other_count_vectors(reply, lf__item_member(event, "predictions"));
    other_count_vector(reply, lf__item_member(event, "embedding"));
    reply->done = reply->error.length == 0;
    return false;
}

static void other_put_embeddings(const lf__reply *reply, lf__buf *out)
{
    if (reply->vectors == 0)
        return;
    LF__BUF_ADD(out, "{\"dimensions\":");
    lf__json_uint(out, reply->dimensions);
    LF__BUF_ADD(out, ",\"count\":");
    lf__json_uint(out, reply->vectors);
    LF__BUF_ADD(out, "}");
}

/* ---- Images and sounds -------------------------------------------------------------------------------------------- */

/* All of them, as a list. */
static bool other_has_images(const lf__reply *reply)
{
    return reply->whole.length > 0 && reply->whole.data[0] == '[';
}

/* One of a stream: an item of the list that a reply in one piece has. */
static void other_add_image(lf__reply *reply, lf__item base64)
{
    static const char before[] = "{\"b64_json\":";
    lf__text json = lf__item_json(base64);
    lf__buf item;
    lf__buf_init(&item, LF__EVENT_MAX + sizeof before + 1);
    LF__BUF_ADD(&item, before);
    lf__buf_add(&item, json.at, json.size);
    LF__BUF_ADD(&item, "}");
    lf__buf_clear(&reply->scratch);
    if (!item.failed && lf__media_add_json(&reply->scratch, lf__buf_text(&item), reply->media_type))
        (void)lf__reply_add_item(reply, &reply->whole, lf__buf_text(&reply->scratch));
    else
        reply->truncated = true;
    lf__buf_done(&item);
}

static bool other_image_event(lf__reply *reply, lf__item event)
{
    lf__text format = lf__item_string(lf__item_member(event, "output_format"));
    (void)lf__reply_set_json(reply, &reply->usage, lf__item_member(event, "usage"));
    (void)lf__reply_set_string(reply, &reply->model, lf__item_member(event, "model"));
    if (format.size > 0)
        lf__media_type_of(reply->media_type, sizeof reply->media_type, "image", format);
    if (lf__reply_set_media(reply, &reply->whole, lf__item_member(event, "data"))) {
        reply->done = true;
        return true;
    }
    lf__text type = lf__item_string(lf__item_member(event, "type"));
    lf__item image = lf__item_member(event, "b64_json");
    if (!lf__text_ends(type, ".completed") || !lf__item_is(image) || other_has_images(reply))
        return false;
    other_add_image(reply, image);
    reply->done = true;
    return true;
}

static void other_put_images(const lf__reply *reply, lf__buf *out)
{
    bool is_list = other_has_images(reply);
    lf__buf_add(out, "[", !is_list);
    lf__buf_add(out, reply->whole.data, reply->whole.length);
    lf__buf_add(out, "]", !is_list);
}

static bool other_transcript_event(lf__reply *reply, lf__item event)
{
    lf__item type = lf__item_member(event, "type"), usage = lf__item_member(event, "usage");
    (void)lf__reply_set_json(reply, &reply->usage, usage);
    lf__reply_note(reply, "seconds", lf__item_member(usage, "seconds"));
    lf__reply_note(reply, "duration", lf__item_member(event, "duration"));
    lf__reply_note(reply, "language", lf__item_member(event, "language"));
    if (lf__item_equals(type, "transcript.text.delta"))
        return other_add_text(reply, event, "delta");
    if (!lf__item_is(lf__item_member(event, "text")))
        return false;
    reply->done = true;
    lf__reply_choice *choice = lf__reply_choice_at(reply, 0);
    if (choice == NULL || choice->texts[LF__REPLY_CONTENT].length > 0) /* its pieces came before */
        return false;
    return other_add_text(reply, event, "text");
}

static bool other_speech_event(lf__reply *reply, lf__item event)
{
    lf__reply_choice *choice = lf__reply_choice_at(reply, 0);
    (void)lf__reply_set_json(reply, &reply->usage, lf__item_member(event, "usage"));
    if (lf__item_equals(lf__item_member(event, "type"), "speech.audio.done"))
        reply->done = true;
    return choice != NULL && lf__reply_add_string(reply, &choice->audio_data, lf__item_member(event, "audio"));
}

static void other_put_speech(lf__reply *reply, lf__buf *out)
{
    const lf__reply_choice *choice = reply->choices.items;
    const char *type = reply->media_type[0] != '\0' ? reply->media_type : "audio/mpeg";
    if (reply->choices.count > 0 && choice->audio_data.length > 0) {
        LF__BUF_ADD(out, "{\"type\":\"base64\",\"media_type\":\"");
        lf__buf_add_text(out, type);
        LF__BUF_ADD(out, "\",\"data\":");
        lf__reply_put_quoted(out, &choice->audio_data);
        LF__BUF_ADD(out, "}");
    } else if (reply->bytes.length > 0 && !reply->truncated) {
        LF__BUF_ADD(out, "\"");
        lf__media_add_token(out, type, reply->bytes.data, reply->bytes.length, "bytes");
        LF__BUF_ADD(out, "\"");
    }
}

/* ---- Whatever else ------------------------------------------------------------------------------------------------ */

/* Old Anthropic completions, and replies of which nothing is known but that they are JSON. */
static bool other_unknown_event(lf__reply *reply, lf__item event)
{
    (void)lf__reply_set_string(reply, &reply->model, lf__item_member(event, "model"));
    lf__item usage = lf__item_member(event, "usage");
    if (lf__item_begins(usage) == '{')
        (void)lf__reply_set_json(reply, &reply->usage, usage);
    if (reply->api == LF__API_ANTHROPIC_TEXT && lf__item_is(lf__item_member(event, "completion"))) {
        (void)lf__reply_set_json(reply, &reply->finish_reason, lf__item_member(event, "stop_reason"));
        return other_add_text(reply, event, "completion");
    }
    if (reply->api == LF__API_ANTHROPIC_TEXT)
        return false; /* a ping */
    (void)lf__reply_add_item(reply, &reply->whole, lf__item_json(event));
    reply->done = true;
    return true;
}

static void other_put_unknown(lf__reply *reply, lf__buf *out)
{
    bool is_list = reply->events > 1;
    lf__buf_add(out, "[", is_list);
    lf__buf_add(out, reply->whole.data, reply->whole.length);
    lf__buf_add(out, "]", is_list);
}

/* What is no JSON: a transcript, or the reply of an unknown API, if it is a text. */
static void other_put_text(const lf__reply *reply, lf__buf *out)
{
    lf__text text = lf__buf_text(&reply->bytes);
    if (reply->cuts_bytes)
        text.size = lf__utf8_floor(text.at, text.size);
    if (reply->api == LF__API_TRANSCRIPTION || lf__utf8_valid_prefix(text.at, text.size) == text.size)
        lf__json_string(out, text.at, text.size);
}

bool lf__reply_other_event(lf__reply *reply, lf__item event)
{
    switch (reply->api) {
    case LF__API_OLLAMA_CHAT:
    case LF__API_OLLAMA_GENERATE: return other_ollama_event(reply, event);
    case LF__API_LLAMA: return other_llama_event(reply, event);
    case LF__API_IMAGES: return other_image_event(reply, event);
    case LF__API_TRANSCRIPTION: return other_transcript_event(reply, event);
    case LF__API_SPEECH: return other_speech_event(reply, event);
    default: return lf__api_is_embedding(reply->api) ? other_embedding_event(reply, event) : other_unknown_event(reply, event);
    }
}

void lf__reply_other_output(lf__reply *reply, lf__buf *out)
{
    if (lf__api_is_embedding(reply->api))
        other_put_embeddings(reply, out);
    else if (reply->api == LF__API_SPEECH)
        other_put_speech(reply, out);
    else if (reply->choices.count > 0)
        lf__reply_chat_output(reply, out);
    else if (reply->bytes.length > 0)
        other_put_text(reply, out);
    else if (reply->whole.length > 0 && reply->api == LF__API_IMAGES)
        other_put_images(reply, out);
    else if (reply->whole.length > 0)
        other_put_unknown(reply, out);
}
