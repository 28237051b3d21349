/* The events of a reply: server-sent events, lines of JSON, a list of JSON values, or one value, found by the first bytes. Bytes go in cut
 * anywhere; an event comes out as the JSON text that it carries. Pure.
 *
 * Servers differ from the standard of server-sent events, and these differences are read as they are meant: an event that the end
 * of the reply leaves without its blank line; a bare JSON value between events; an error in a field of its own.
 */
#ifndef LF_SRC_FRAMES_H
#define LF_SRC_FRAMES_H

#include "../base/buf.h"

enum {
    LF__EVENT_MAX = 16 << 20, /* bytes; a longer event is dropped */
    LF__FRAMES_HEAD = 256 /* of the first bytes are kept: the text of an error that is no JSON */
};

typedef enum lf__framing {
    LF__FRAMING_UNKNOWN = 0, /* too few bytes so far */
    LF__FRAMING_SSE,
    LF__FRAMING_VALUES, /* JSON values, one behind the other: a single one, or lines */
    LF__FRAMING_LIST, /* the same in a list */
    LF__FRAMING_BYTES /* none of these */
} lf__framing;

/* What a reply is that begins with a bracket. */
typedef enum lf__lists {
    LF__LISTS_SPLIT = 0, /* a list of events */
    LF__LISTS_WHOLE, /* a value like others */
    LF__LISTS_NONE /* a text: "[Music]" */
} lf__lists;

/* Where a list stands whose items may be numbers. */
typedef enum lf__vector { LF__VECTOR_NONE = 0, LF__VECTOR_OPENS, LF__VECTOR_INSIDE } lf__vector;

typedef struct lf__frames {
    lf__framing framing;
    lf__lists lists;
    bool counts_vectors; /* a list of numbers is kept as [LENGTH]: replies with embeddings are large */
    bool dropped; /* an event was too long, or there was no memory for it */
    bool taken; /* the event in hand was handed out */
    bool skips_lf; /* a CR ended the last line: an LF belongs to it */
    bool is_error; /* the event in hand is called "error" */
    bool is_bare; /* server-sent events: in the middle of a bare value */
    bool holds_line; /* the line begins an event of its own: it waits until the one in hand has gone out */
    bool in_string, is_escaped;
    uint8_t mark_size; /* bytes of the byte order mark so far */
    lf__vector vector;
    uint32_t depth;
    uint64_t numbers; /* in the vector */
    size_t total; /* bytes so far */
    size_t head_size;
    char head[LF__FRAMES_HEAD];
    lf__buf line; /* an unfinished line */
    lf__buf event; /* an unfinished event or value */
    const char *at, *end; /* what is left of the piece in hand */
} lf__frames;

typedef struct lf__frame_event {
    lf__text data;
    bool is_error; /* said by the event's name or field */
} lf__frame_event;

void lf__frames_init(lf__frames *frames, lf__lists lists, bool counts_vectors);
void lf__frames_done(lf__frames *frames);
/* Give it a piece, then take the events that end in it, one after the other. The data of an event lives until the next call; false:
 * there is none any more. */
void lf__frames_give(lf__frames *frames, const char *bytes, size_t size);
bool lf__frames_take(lf__frames *frames, lf__frame_event *out);
/* The next line, where lines of JSON come and it is there to its end; a value may go on behind it. Whoever finds that it is one value skips
 * it: finding its end byte by byte takes longer than reading it. */
bool lf__frames_peek_line(const lf__frames *frames, lf__text *out);
void lf__frames_skip_line(lf__frames *frames, lf__text line);
/* No more bytes come: the events that lack their end; the last one may be half a value. */
bool lf__frames_take_rest(lf__frames *frames, lf__frame_event *out);
size_t lf__frames_memory(const lf__frames *frames);

#endif
