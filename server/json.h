/* A strict JSON reader into an arena, and the few writers the answers need.
 *
 * It accepts exactly RFC 8259: no trailing text, no control characters in strings, no loose numbers. Strings keep an escaped
 * U+0000, and keys that occur twice give the last value, as JavaScript has it.
 */
#ifndef LOCAL_JSON_H
#define LOCAL_JSON_H

#include "buf.h"

/* Deeper than any real payload, shallow enough for a small thread stack. */
enum { JSON_MAX_DEPTH = 200 };

typedef enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } json_kind;

typedef struct json {
    json_kind kind;
    text key;    /* inside an object */
    text string; /* JSON_STRING: the unescaped text; JSON_NUMBER: its spelling; an array or object that was parsed: its source */
    double number;
    struct json *first, *next;
} json;

/* NULL when `source` is not JSON or the arena is full (then arena->failed is set). The result borrows from `source`. */
const json *json_parse(arena *a, text source);
const json *json_parse_to(arena *a, text source, size_t *out_end); /* also tells how far it is JSON */

/* All of these take NULL for a value that is absent. */
const json *json_get(const json *object, const char *key); /* NULL when absent, or when `object` is no object */
bool json_is(const json *value, json_kind kind);
bool json_is_null(const json *value); /* absent, or null */
bool json_is_string(const json *value, const char *string);
const json *json_first(const json *value, json_kind kind); /* its first member, if it is of that kind and has one */
size_t json_count(const json *value);                      /* of members */
text json_string_at(const json *object, const char *key);  /* empty when there is no string */
double json_number_at(const json *object, const char *key, double otherwise);

text json_text(arena *a, const json *value); /* compact, in `a` */

json *json_new(arena *a, json_kind kind);

/* Appends a copy of `member`. `last` is the last member of `parent`, or NULL; afterwards it is the copy. Nothing when out of
 * memory, or when `parent` is NULL for that reason. */
void json_append(arena *a, json *parent, json **last, const json *member);

void json_write(buf *out, const json *value);         /* compact, numbers as JavaScript prints them */
void json_write_pretty(buf *out, const json *value);  /* indented by two, as JSON.stringify(value, null, 2) has it */
void json_put_string(buf *out, text t);               /* with quotes */

/* JSON when it parses as such, else a string. A number of more digits than a double keeps is written as a string of them. */
void json_put_parsed(buf *out, arena *a, text value);

void json_put_number(buf *out, double value);         /* the shortest text that reads back as the same double; no quotes */
void json_put_comma(buf *out);                        /* nothing at the beginning of an array, an object or the buffer */
void json_put_key(buf *out, const char *key);         /* a comma as above, then "key": */
void json_put_name(buf *out, text key);               /* the same */

#endif
