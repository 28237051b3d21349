/* Adding fields: to a frame that may not be the innermost, to a handle, or to a record of their own. */
#ifndef LF_SRC_WRITE_H
#define LF_SRC_WRITE_H

#include "stack.h"

typedef struct lf__writer {
    lf__segment *segment;
    lf__frame *frame;
    lf__block *block;        /* NULL: directly behind the frame */
    lf_observation *handle;  /* fields are collected above the stack and given to it */
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    uint8_t *output_end; /* the same for values with a place of their own (lf__room); NULL: `end` */
    uint8_t *last_end;
    uint32_t version;
    uint16_t index; /* of the fields written */
    bool are_attributes;
} lf__writer;

bool lf__write_begin(lf__writer *w, lf__frame *frame);
void lf__write_end(lf__writer *w);
bool lf__write_begin_handle(lf__writer *w, lf_observation *handle);
void lf__write_end_handle(lf__writer *w);
/* A record above the stack, header zeroed, valid until this thread observes anything else. NULL: no room. */
lf__record *lf__write_begin_record(lf__writer *w, lf__record_kind kind);
void lf__write_end_record(lf__writer *w, lf__record *record);

static inline void lf__write(lf__writer *w, lf__tag tag, const lf_value *value)
{
    lf__room room = lf__capture_room(tag);
    uint8_t *end = room == LF__ROOM_OUTPUT ? w->output_end : room == LF__ROOM_LAST ? w->last_end : w->end;
    w->at = lf__capture(w->at, end != NULL && end > w->at ? end : w->end, tag, w->index, value);
}

void lf__write_text(lf__writer *w, lf__tag tag, const char *text); /* NULL: nothing */
/* The text of an id: where it has no room it is left out, since a part of it would be another id. */
void lf__write_whole(lf__writer *w, lf__tag tag, const char *text, size_t size);
void lf__write_int(lf__writer *w, lf__tag tag, int64_t number);
static inline void lf__write_set(lf__writer *w, lf__tag tag, const lf_value *value)
{
    if (value->kind != LF_KIND_UNSET)
        lf__write(w, tag, value);
}

/* The name and version of `prompt`, or those given; nothing of a fallback, which is no version of anything on the server. */
void lf__write_prompt(lf__writer *w, const lf_prompt *prompt, const char *name, int version);
/* As this version knows them, `own` where they come from another one; NULL: nothing is said. */
const lf_observation_fields *lf__observation_fields(const lf_observation_fields *given, lf_observation_fields *own);
void lf__write_fields(lf__writer *w, const lf_observation_fields *fields);

#endif
