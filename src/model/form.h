/* The parts of a multipart form, as a program builds it piece by piece, and what of them is recorded: a JSON object in which a field
 * is a text, and a file its name, type and size. Pure.
 */
#ifndef LF_SRC_FORM_H
#define LF_SRC_FORM_H

#include "../base/buf.h"

enum { LF__FORM_PARTS = 64, LF__FORM_TEXT_MAX = 64 << 10 }; /* a form's parts, a field's bytes; beyond that they are left out */

typedef struct lf__form_part {
    struct lf__form_part *next;
    char *name;
    char *type;
    char *file; /* its name; NULL: a field */
    char *text; /* what a field holds; NULL: not known, or longer than LF__FORM_TEXT_MAX */
    size_t text_size;
    bool has_size;
    uint64_t size; /* of what the part holds */
} lf__form_part;

typedef struct lf__form {
    lf__form_part *first, *last;
    unsigned count;
} lf__form;

/* NULL: no memory, or too many parts. */
lf__form_part *lf__form_add(lf__form *form);
void lf__form_done(lf__form *form);
/* Replace a text of a part; NULL takes it away. Without memory it is taken away, too. */
void lf__form_set(char **text, const char *value);
void lf__form_set_file(lf__form_part *part, const char *path); /* without the folders of the path */
void lf__form_set_data(lf__form_part *part, const char *data, size_t size);
/* Append {"model":"whisper-1","file":{"name":"a.mp3","type":"audio/mpeg","size":1234}}. Parts of one name become a list. */
bool lf__form_json(lf__buf *out, const lf__form *form);

#endif
