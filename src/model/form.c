#include "form.h"

#include "../base/json.h"

lf__form_part *lf__form_add(lf__form *form)
{
    lf__form_part *part = form->count < LF__FORM_PARTS ? lf__alloc(sizeof *part) : NULL;
    if (part == NULL)
        return NULL;
    if (form->last == NULL)
        form->first = part;
    else
        form->last->next = part;
    form->last = part;
    form->count++;
    return part;
}

static void form_part_free(lf__form_part *part)
{
    lf__free(part->name);
    lf__free(part->type);
    lf__free(part->file);
    lf__free(part->text);
    lf__free(part);
}

void lf__form_done(lf__form *form)
{
    while (form->first != NULL) {
        lf__form_part *part = form->first;
        form->first = part->next;
        form_part_free(part);
    }
    *form = (lf__form){.first = NULL};
}

void lf__form_set(char **text, const char *value)
{
    lf__free(*text);
    *text = lf__strdup(value);
}

void lf__form_set_file(lf__form_part *part, const char *path)
{
    const char *slash = path == NULL ? NULL : strrchr(path, '/');
    lf__form_set(&part->file, slash == NULL ? path : slash + 1);
}

void lf__form_set_data(lf__form_part *part, const char *data, size_t size)
{
    lf__free(part->text);
    part->has_size = data != NULL;
    part->size = data == NULL ? 0 : size;
    part->text = data != NULL && size <= LF__FORM_TEXT_MAX ? lf__alloc(size + 1) : NULL;
    part->text_size = part->text == NULL ? 0 : size;
    if (part->text != NULL)
        memcpy(part->text, data, size);
}

static void form_add_file(lf__buf *out, const lf__form_part *part)
{
    (void)(LF__BUF_ADD(out, "{\"name\":") && lf__json_string(out, part->file, strlen(part->file)));
    if (part->type != NULL)
        (void)(LF__BUF_ADD(out, ",\"type\":") && lf__json_string(out, part->type, strlen(part->type)));
    if (part->has_size)
        (void)(LF__BUF_ADD(out, ",\"size\":") && lf__json_uint(out, part->size));
    (void)lf__buf_add_char(out, '}');
}

static void form_add_value(lf__buf *out, const lf__form_part *part)
{
    if (part->file != NULL)
        form_add_file(out, part);
    else if (part->text != NULL)
        (void)lf__json_string(out, part->text, part->text_size);
    else
        (void)LF__BUF_ADD(out, "null");
}

static bool form_same_name(const lf__form_part *a, const lf__form_part *b)
{
    return a->name != NULL && b->name != NULL && strcmp(a->name, b->name) == 0;
}

static bool form_is_first(const lf__form *form, const lf__form_part *part)
{
    const lf__form_part *other = form->first;
    while (other != part && !form_same_name(other, part))
        other = other->next;
    return other == part;
}

/* The value of a part, and of those behind it that have the same name. */
static void form_add_values(lf__buf *out, const lf__form_part *part)
{
    unsigned count = 0;
    for (const lf__form_part *other = part; other != NULL; other = other->next)
        count += form_same_name(other, part);
    if (count > 1)
        (void)lf__buf_add_char(out, '[');
    bool more = false;
    for (const lf__form_part *other = part; other != NULL; other = other->next) {
        if (!form_same_name(other, part))
            continue;
        if (more)
            (void)lf__buf_add_char(out, ',');
        form_add_value(out, other);
        more = true;
    }
    if (count > 1)
        (void)lf__buf_add_char(out, ']');
}

bool lf__form_json(lf__buf *out, const lf__form *form)
{
    size_t start = out->length;
    bool more = false;
    (void)lf__buf_add_char(out, '{');
    for (const lf__form_part *part = form->first; part != NULL; part = part->next) {
        if (part->name == NULL || !form_is_first(form, part))
            continue;
        if (more)
            (void)lf__buf_add_char(out, ',');
        (void)(lf__json_string(out, part->name, strlen(part->name)) && lf__buf_add_char(out, ':'));
        form_add_values(out, part);
        more = true;
    }
    (void)lf__buf_add_char(out, '}');
    return lf__buf_finish(out, start);
}
