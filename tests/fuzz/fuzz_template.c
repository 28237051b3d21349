/* Any bytes as a template with its variables, and any bytes as JSON: templates mean what the slow reference of the unit test
 * says, whatever kind of object the variables come in; values come out as UTF-8, and the same from text and from a tree.
 * The first byte chooses, '0' or '1'; behind it NULs separate the template, and then a name and a value at a time.
 */
#include "../../src/base/json.h"
#include "../../src/ask/template.h"
#include "../../src/base/value.h"
#include "../unit/template_reference.h"

#include <cjson/cJSON.h>

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENTRIES_MAX = 80 }; /* more names than are looked up without an allocation */

typedef struct input {
    const char *text;
    size_t size;
    reference_entry entries[ENTRIES_MAX];
    size_t count;
} input;

static const char *next_part(const char **at, const char *end, size_t *size)
{
    const char *part = *at, *stop = part < end ? memchr(part, '\0', (size_t)(end - part)) : NULL;
    stop = stop == NULL ? end : stop;
    *size = (size_t)(stop - part);
    *at = stop < end ? stop + 1 : end;
    return part;
}

static void read_input(input *in, const char *at, const char *end)
{
    in->text = next_part(&at, end, &in->size);
    for (in->count = 0; in->count < ENTRIES_MAX && at < end; in->count++) {
        reference_entry *entry = &in->entries[in->count];
        entry->name = next_part(&at, end, &entry->name_size);
        entry->value = next_part(&at, end, &entry->value_size);
        /* Values are repaired when they are written; the reference prints what it is given. */
        if (lf__utf8_valid_prefix(entry->value, entry->value_size) != entry->value_size)
            entry->value_size = 0;
    }
}

static void check_equal(const lf__buf *a, const lf__buf *b)
{
    CHECK(!a->failed && !b->failed && a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0));
}

static void check_render(const lf__template *t, const lf_value *variables, const lf__buf *wanted)
{
    lf__buf out;
    lf__buf_init(&out, SIZE_MAX / 2);
    CHECK(lf__template_render(&out, t, variables));
    check_equal(&out, wanted);
    lf__buf_done(&out);
}

/* Names of members end at a NUL, so each gets memory of its own. */
static void check_object(const lf__template *t, const input *in, const lf__buf *wanted)
{
    lf_member members[ENTRIES_MAX];
    for (size_t i = 0; i < in->count; i++) {
        char *name = calloc(1, in->entries[i].name_size + 1);
        CHECK(name != NULL);
        memcpy(name, in->entries[i].name, in->entries[i].name_size);
        members[i] = (lf_member){name, lf_strn(in->entries[i].value, in->entries[i].value_size)};
    }
    lf_value variables = lf_i_make_pointer(LF_KIND_OBJECT, members, in->count);
    check_render(t, &variables, wanted);
    for (size_t i = 0; i < in->count; i++)
        free((void *)(uintptr_t)members[i].name);
}

/* JSON can say only names that are UTF-8. */
static void check_json(const lf__template *t, const input *in, const lf__buf *wanted)
{
    lf__buf json;
    lf__buf_init(&json, SIZE_MAX / 2);
    lf__buf_add_char(&json, '{');
    bool sayable = true;
    for (size_t i = 0; i < in->count; i++) {
        const reference_entry *entry = &in->entries[i];
        sayable = sayable && lf__utf8_valid_prefix(entry->name, entry->name_size) == entry->name_size;
        if (i > 0)
            lf__buf_add_char(&json, ',');
        lf__json_string(&json, entry->name, entry->name_size);
        lf__buf_add_char(&json, ':');
        lf__json_string(&json, entry->value, entry->value_size);
    }
    lf__buf_add(&json, "}", 2); /* with its NUL */
    if (sayable) {
        lf_value variables = lf_jsonn(json.data, json.length - 1);
        check_render(t, &variables, wanted);
        cJSON *tree = cJSON_Parse(json.data);
        CHECK(tree != NULL);
        variables = lf_i_make_pointer(LF_KIND_CJSON, tree, 0);
        check_render(t, &variables, wanted);
        cJSON_Delete(tree);
    }
    lf__buf_done(&json);
}

static void check_names(const lf__template *t)
{
    const char *name, *wanted;
    size_t at = 0, size, wanted_size, whole;
    for (size_t i = 0; i < t->size; i += whole) {
        whole = 1;
        if (reference_tag(t->text + i, t->size - i, &wanted, &wanted_size, &whole))
            CHECK(lf__template_names(t, &at, &name, &size) && size == wanted_size && (size == 0 || name == wanted));
    }
    CHECK(!lf__template_names(t, &at, &name, &size));
}

static void check_single_braces(const input *in)
{
    lf__buf single, formatted, wanted;
    lf__buf_init(&single, SIZE_MAX / 2);
    lf__buf_init(&formatted, SIZE_MAX / 2);
    lf__buf_init(&wanted, SIZE_MAX / 2);
    CHECK(lf__template_single_braces(&single, in->text, in->size));
    CHECK(reference_format(&formatted, single.data, single.length));
    if (reference_has_only_words(in->text, in->size)) {
        reference_compile_words(&wanted, in->text, in->size);
        check_equal(&formatted, &wanted);
    }
    lf__buf_done(&single);
    lf__buf_done(&formatted);
    lf__buf_done(&wanted);
}

static void check_template(const char *at, const char *end)
{
    static input in;
    lf__template t;
    lf__buf wanted;
    read_input(&in, at, end);
    lf__buf_init(&wanted, SIZE_MAX / 2);
    CHECK(lf__template_parse(&t, in.text, in.size));
    reference_compile(&wanted, in.text, in.size, in.entries, in.count);
    check_object(&t, &in, &wanted);
    check_json(&t, &in, &wanted);
    check_names(&t);
    check_single_braces(&in);
    lf__template_free(&t);
    lf__buf_done(&wanted);
}

/* cJSON ends text at a NUL and rounds numbers; no deeper than what is written of a tree. */
static bool is_same_in_a_tree(const char *text, size_t size)
{
    enum { BRACKETS_MAX = 60 };
    size_t brackets = 0;
    for (size_t i = 0; i < size; i++) {
        brackets += text[i] == '[' || text[i] == '{';
        if (text[i] == '\0' || (text[i] == '\\' && i + 1 < size && text[i + 1] == 'u') || (text[i] >= '0' && text[i] <= '9'))
            return false;
    }
    return brackets <= BRACKETS_MAX;
}

static void check_value(const char *text, size_t size)
{
    lf__buf out, from_tree;
    lf_value json = lf_jsonn(text, size), value;
    lf__buf_init(&out, SIZE_MAX / 2);
    lf__buf_init(&from_tree, SIZE_MAX / 2);
    CHECK(lf__value_python(&out, &json));
    CHECK(lf__utf8_valid_prefix(out.data, out.length) == out.length);
    (void)lf__template_find(&json, "a", 1, &value);
    cJSON *tree = lf__json_valid(text, size) && is_same_in_a_tree(text, size) ? cJSON_ParseWithLength(text, size) : NULL;
    if (tree != NULL) {
        value = lf_i_make_pointer(LF_KIND_CJSON, tree, 0);
        CHECK(lf__value_python(&from_tree, &value));
        check_equal(&out, &from_tree);
    }
    cJSON_Delete(tree);
    lf__buf_done(&out);
    lf__buf_done(&from_tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    if ((data[0] & 1) == 0)
        check_template(text, text + size - 1);
    else
        check_value(text, size - 1);
    return 0;
}
