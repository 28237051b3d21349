/* The templates of prompts: text with variables in double braces, "Hi {{ name }}!". A template is taken apart once and then
 * filled in many times; what Langfuse's Python SDK makes of the same text and variables is the measure. Pure, no I/O.
 */
#ifndef LF_SRC_TEMPLATE_H
#define LF_SRC_TEMPLATE_H

#include "../base/buf.h"

/* A piece of the text: a literal, or a variable with its braces, which stays as it is when there is no value for it. */
typedef struct lf__template_part {
    size_t at; /* offsets into the text */
    size_t size;
    size_t name_at; /* without the blanks around it; of a literal, nothing */
    size_t name_size;
    size_t name; /* index into `names`, or LF__TEMPLATE_LITERAL */
} lf__template_part;

#define LF__TEMPLATE_LITERAL SIZE_MAX

typedef struct lf__template_name {
    const char *text; /* in the template's text */
    size_t size;
} lf__template_name;

typedef struct lf__template {
    const char *text; /* borrowed until lf__template_free */
    size_t size;
    lf__template_part *parts; /* together they are the whole text; none when it has no variable */
    size_t count;
    lf__template_name *names; /* each name once, in an order of our own */
    size_t name_count;
} lf__template;

/* Take `text` apart: a variable reaches from the first "{{" to the first "}}" behind it, and so on behind that. Its name is
 * all between but the blanks (those of Unicode too) at both ends; it may be empty. Time grows with the size of the text,
 * whatever is in it. False: no memory; *out is then safe to free. */
bool lf__template_parse(lf__template *out, const char *text, size_t size);
void lf__template_free(lf__template *t);
size_t lf__template_bytes(const lf__template *t); /* of memory that it holds, without the text */

/* Append the text with the values of the variables. `variables` is an object (LF_OBJECT, cJSON, or JSON text); with anything
 * else, also NULL, the text is appended as it is. A value is written as Python's str() would (lf__value_python). A
 * variable without a value keeps its braces; an unset member is no value; of equal names the last one counts. What a value
 * contains is not looked at again. Literal text is not checked: the caller sees to it that it is UTF-8.
 * Up to 64 names, and without JSON text, it allocates nothing but `out`'s memory. False: no memory or no room in `out`, which is as before. */
bool lf__template_render(lf__buf *out, const lf__template *t, const lf_value *variables);

/* The names of the variables in the order of the text, as often as they stand there: start with *at = 0, false at the end. */
bool lf__template_names(const lf__template *t, size_t *at, const char **name, size_t *name_size);

/* What `variables` (as for lf__template_render) has for a name; *value borrows from it. False: nothing, and *value is
 * untouched; or no memory, and *value is unset. */
bool lf__template_find(const lf_value *variables, const char *name, size_t name_size, lf_value *value);

/* Append `text` as a template with single braces (Python's str.format, LangChain's f-string templates): "{{ word }}" becomes
 * {word}; "{word}", which is such a variable already, and braces that are doubled already ("{{" with its "}}") stay; every
 * other brace is doubled, those of nested JSON too, whose closing braces look like a pair and are none.
 *
 * So formatting the result gives the text with its words filled in and pairs of braces halved. A word is made of ASCII letters,
 * digits, underscores, and code points beyond ASCII that are no blanks. "{{a.b}}" means something else between single braces
 * and is printed as "{a.b}". str.format looks up names that consist of digits among its positional arguments. */
bool lf__template_single_braces(lf__buf *out, const char *text, size_t size);

#endif
