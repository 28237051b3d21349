/* The reply in hand, as the files that know one API each see it (reply_*.c). reply.c owns it. Texts are raw JSON throughout: a piece of a
 * string is appended as it stands between its quotes, so joining pieces takes no decoding.
 */
#ifndef LF_SRC_REPLY_STATE_H
#define LF_SRC_REPLY_STATE_H

#include "api.h"
#include "frames.h"
#include "tree.h"

typedef struct lf__reply lf__reply;

enum { LF__REPLY_LIST_MAX = 1024 }; /* choices, calls of tools, parts: of each at most */

/* A growing array. An element moves when another one is added. */
typedef struct lf__reply_list {
    void *items;
    size_t count, room;
} lf__reply_list;

/* A part of a message: a block of Anthropic, a part of Gemini, an item of Responses, an item of a list of contents. */
typedef struct lf__reply_part {
    int64_t index; /* by which pieces find it; -1: by `id` or order */
    lf__buf id;
    lf__buf json; /* the part itself, without what pieces add */
    lf__buf text; /* the pieces of its text, arguments, input or thinking */
    lf__buf more; /* a second one: a text, or items of a list */
    const char *key; /* where `text` stands: "text", "thinking", "input", ...; NULL: nowhere */
    const char *more_key; /* where `more` stands: "signature", "citations" */
    bool is_raw; /* `text` is JSON rather than the inside of a string */
    lf__reply_list parts; /* of an item: its contents */
} lf__reply_part;

/* A call of a tool. */
typedef struct lf__reply_tool {
    int64_t index; /* -1: there was none */
    lf__buf id, type, name, arguments;
    bool is_custom; /* {custom: {name, input}} instead of {function: {name, arguments}} */
    bool is_raw; /* the arguments came as a value, not as a string */
} lf__reply_tool;

/* Texts of a message, by their names in the reply. */
enum {
    LF__REPLY_CONTENT,
    LF__REPLY_REFUSAL,
    LF__REPLY_REASONING,
    LF__REPLY_REASONING_CONTENT,
    LF__REPLY_THINKING,
    LF__REPLY_TEXTS
};

typedef struct lf__reply_choice {
    int64_t index;
    lf__buf role;
    lf__buf texts[LF__REPLY_TEXTS];
    bool has_text[LF__REPLY_TEXTS];
    bool has_content; /* there was one, null perhaps */
    bool has_list; /* it was a list */
    bool is_text; /* a completion: its output is the text alone */
    lf__buf message; /* a message that came whole */
    lf__buf function_name, function_arguments;
    bool has_function;
    lf__buf audio_data, audio_transcript, audio_rest; /* its other members, as JSON members */
    bool has_audio;
    lf__buf annotations; /* items */
    lf__buf finish_reason; /* JSON */
    lf__reply_list parts; /* contents that are a list */
    lf__reply_list tools;
} lf__reply_choice;

/* A value of an event that may be another one in the next. */
typedef struct lf__reply_hole {
    uint32_t at, size; /* in the event */
    lf__buf *to; /* what it is added to, or takes the place of; NULL: it says nothing */
    bool is_piece; /* of a text */
} lf__reply_hole;

enum { LF__REPLY_HOLES = 8 };

/* An event that brought a piece of a text and nothing else that is new. Next ones that are like it outside of its holes are read by
 * comparing (reply_alike.c). */
typedef struct lf__reply_alike {
    lf__buf event; /* empty: there is none */
    lf__reply_hole holes[LF__REPLY_HOLES];
    unsigned count;
    unsigned misses; /* events in a row that were not alike */
} lf__reply_alike;

struct lf__reply {
    lf__api api;
    char media_type[32];
    lf__frames frames;
    lf__tree tree;
    lf__buf repaired; /* an event whose UTF-8 was not */
    size_t most, left; /* bytes that may be merged; that still may be */
    bool is_full; /* a text was cut: no more of texts is taken, so that none has a hole */
    bool truncated;
    bool done; /* an end mark was seen */
    bool closed; /* events behind the end mark do not count */
    bool has_token;
    int events;
    int first_token_event;
    lf__reply_list choices;
    lf__reply_alike alike;
    lf__reply_list items; /* of Responses */
    lf__buf model; /* raw text */
    lf__buf id; /* JSON */
    lf__buf usage; /* JSON object as the API reports it */
    lf__buf timings; /* of llama.cpp */
    lf__buf service_tier; /* JSON */
    lf__buf metadata; /* members */
    lf__buf error, error_type; /* raw texts */
    lf__buf apology; /* raw text: an error, if the HTTP status says that the reply is one */
    lf__buf blocked; /* raw text: why a prompt was refused */
    lf__buf whole; /* a reply that is recorded as it is; the output of Responses */
    lf__buf bytes; /* of a reply that may be a text or a sound, while nothing in it is JSON */
    bool cuts_bytes; /* there was no room for all of them */
    lf__buf finish_reason; /* JSON, where it is no choice's */
    uint64_t vectors, dimensions; /* of embeddings */
    int64_t counts[3]; /* of llama.cpp: tokens of the prompts, of the replies, from the cache */
    lf__buf output, details, costs, message, reason, scratch; /* results */
};

/* Append or set, within what is left. False: it does not fit, and what was there stays. */
bool lf__reply_add(lf__reply *reply, lf__buf *to, lf__text text);
bool lf__reply_set(lf__reply *reply, lf__buf *to, lf__text text);
/* Append to the items of a list, or the members of an object, behind a comma where one is due. */
bool lf__reply_add_item(lf__reply *reply, lf__buf *to, lf__text json);
/* A piece of a string: what there is no room for is cut off. */
void lf__reply_add_piece(lf__reply *reply, lf__buf *to, lf__text text);
/* The same for a string, if the item is one that is not empty: true. */
bool lf__reply_add_string(lf__reply *reply, lf__buf *to, lf__item item);
bool lf__reply_set_string(lf__reply *reply, lf__buf *to, lf__item item);
/* Set to an object's or another value's JSON, unless it is null or absent. */
bool lf__reply_set_json(lf__reply *reply, lf__buf *to, lf__item item);
/* The same with each medium in it replaced: it may be larger than what is left. */
bool lf__reply_set_media(lf__reply *reply, lf__buf *to, lf__item item);
/* A member of the metadata, unless the item is null or absent. */
void lf__reply_note(lf__reply *reply, const char *key, lf__item item);
void lf__reply_note_json(lf__reply *reply, const char *key, lf__text json);

/* A new element of a list; NULL: at a ceiling, or no memory. */
void *lf__reply_list_grow(lf__reply *reply, lf__reply_list *list, size_t item_size);
lf__reply_choice *lf__reply_choice_at(lf__reply *reply, int64_t index);
lf__reply_part *lf__reply_part_at(lf__reply_list *list, int64_t index);
/* A call of a tool in a message; a whole one begins a new one. */
void lf__reply_add_tool(lf__reply *reply, lf__reply_choice *choice, lf__item call, bool is_whole);
/* The tier of the request may have been another one. */
void lf__reply_take_tier(lf__reply *reply, lf__item tier);
/* What an error of any API says; the first one stays. */
void lf__reply_note_error(lf__reply *reply, lf__item error);

/* This event adds `piece`, which is not empty, to `to`, and all else that it says may be said again without a difference. */
void lf__reply_learn(lf__reply *reply, lf__item event, lf__item piece, lf__buf *to);
/* Read an event like the one that was learned. False: it is another, which may be read only after lf__reply_unlearn. */
bool lf__reply_read_alike(lf__reply *reply, lf__text data);
void lf__reply_unlearn(lf__reply *reply);

/* An event of an API. True: it carries a token, or a part of what the model says. */
bool lf__reply_chat_event(lf__reply *reply, lf__item event);
bool lf__reply_responses_event(lf__reply *reply, lf__item event);
bool lf__reply_anthropic_event(lf__reply *reply, lf__item event);
bool lf__reply_gemini_event(lf__reply *reply, lf__item event);
bool lf__reply_other_event(lf__reply *reply, lf__item event);
/* Append what the model said, as JSON; nothing where it said nothing. */
void lf__reply_chat_output(lf__reply *reply, lf__buf *out); /* any choices */
void lf__reply_responses_output(lf__reply *reply, lf__buf *out);
void lf__reply_anthropic_output(lf__reply *reply, lf__buf *out);
void lf__reply_gemini_output(lf__reply *reply, lf__buf *out);
void lf__reply_other_output(lf__reply *reply, lf__buf *out);

/* Append a comma where one is due. */
void lf__reply_put_comma(lf__buf *out);
/* Append "key":"text" or "key":json behind a comma where one is due. */
void lf__reply_put_string(lf__buf *out, const char *key, const lf__buf *text);
void lf__reply_put_json(lf__buf *out, const char *key, lf__text json);
/* Append the members of an object but for two (NULL: none). */
void lf__reply_put_members(lf__buf *out, lf__text object, const char *but, const char *nor);
/* Append JSON; {} where there is none. */
void lf__reply_put_object(lf__buf *out, const lf__buf *json);
/* Append `"`, the text and `"`. */
void lf__reply_put_quoted(lf__buf *out, const lf__buf *text);

#endif
