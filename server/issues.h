/* Problems of a request's data, in the shape in which a real server reports them: a JSON array of issues, each with the path of the
 * value it is about. Checks are written once and used for single requests and for events of a batch, whose paths begin with "body".
 */
#ifndef LOCAL_ISSUES_H
#define LOCAL_ISSUES_H

#include "json.h"

/* No id that a client chooses is longer. */
enum { ISSUES_MAX_ID = 800 };

typedef struct issues {
    buf list; /* the issues, between commas */
    const char *prefix; /* the first steps of each path, as JSON texts between commas; or NULL */
    size_t count;
    bool wrong_type; /* a value had the wrong type: checks across several values have nothing to go by */
} issues;

/* `got` may be NULL: the value is absent. */
void issues_add_type(issues *to, const char *name, const char *expected, const json *got);
void issues_add_wrong_object(issues *to, const json *got); /* where variants of a schema are told apart by a member */
void issues_add_short(issues *to, const char *name, unsigned least);
void issues_add_long(issues *to, const char *name, unsigned most);
void issues_add_empty(issues *to, const char *name, const char *message); /* the same for no characters at all, in other words */
void issues_add_pattern(issues *to, const char *name, const char *pattern,
                        const char *message); /* the pattern as text inside JSON */
void issues_add_option(issues *to, const char *name, const char *const *options); /* ends with NULL */
void issues_add_option_or(issues *to, const char *name, const char *const *options, const char *other); /* or that one */
void issues_add_date(issues *to, const char *name); /* it cannot be read as a time */
void issues_add_discriminator(issues *to, const char *name); /* no variant of the schema has this value */
void issues_add_string_or_number(issues *to, const char *name, const json *got);

/* What a real server says of a value that may have one of several shapes: nothing when it has one of them; what is wrong with
 * the one that it nearly has; else what is wrong with each. Returns the index of the shape it has, or `count`. */
enum { ISSUES_MAX_SHAPES = 2 };
typedef void issues_shape(const json *value, issues *to);
size_t issues_choose(issues *to, const json *value, issues_shape *const *shapes, size_t count);

void issues_add_custom(issues *to, const char *name, const char *message); /* an empty name: the value as a whole */
void issues_add_refined(issues *to, const char *name, text message); /* the same with its members in another order */
void issues_add_custom_path(issues *to, const char *names, const char *message); /* several steps, as JSON texts between commas */

/* Checks of one value; they add an issue when it is not acceptable. Where it is not `required`, it may be null or absent. */
bool issues_check_string(issues *to, const json *value, const char *name, bool required);
bool issues_check_datetime(issues *to, const json *value, const char *name, bool required);
bool issues_check_option(issues *to, const json *value, const char *name, const char *const *options);
bool issues_check_kind(issues *to, const json *value, const char *name, json_kind kind, const char *expected);
bool issues_check_id(issues *to, const json *value, const char *name, bool required);

size_t issues_length(text t); /* UTF-16 units: how JavaScript counts characters */

/* As the text of the `error` of an event, or as the `error` array of an answer. */
void issues_put_pretty(const issues *from, arena *a, buf *out);
void issues_put_array(const issues *from, buf *out);
void issues_free(issues *i);

#endif
