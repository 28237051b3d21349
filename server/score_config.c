/* The words are those of a real server, to the letter. */
#include "score_config.h"

#include "member.h"

#include <string.h>

enum { SCORE_CONFIG_MAX_NAME = 35, SCORE_CONFIG_MAX_CATEGORIES = 1000, SCORE_CONFIG_MAX_TEXT = 500 };

/* ---- Checking ---- */

/* Letters and digits of all languages are allowed; what is not ASCII counts as such here. */
static bool score_config_is_name(text name)
{
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.at[i], low = (unsigned char)(c | 0x20);
        if (c < 0x80 && !(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') && (c == 0 || strchr("_ .()-", c) == NULL))
            return false;
    }
    return true;
}

static void score_config_check_name(const json *name, bool required, issues *to)
{
    if (!required && name == NULL)
        return;
    if (!issues_check_string(to, name, "name", true))
        return;
    if (name->string.size == 0)
        issues_add_short(to, "name", 1);
    if (issues_length(name->string) > SCORE_CONFIG_MAX_NAME)
        issues_add_long(to, "name", SCORE_CONFIG_MAX_NAME);
    if (name->string.size == 0 || !score_config_is_name(name->string))
        issues_add_pattern(to, "name", "/^[\\\\p{L}\\\\p{N}_ .()-]+$/u", "Name contains invalid characters");
}

/* False after an issue: two categories have the same label or value. */
static bool score_config_check_twins(const json *one, const json *other, issues *to)
{
    buf message = {.ceiling = 4096};
    const json *label = json_get(one, "label"), *value = json_get(one, "value");
    if (text_equal(label->string, json_string_at(other, "label"))) {
        buf_string(&message, "Duplicate category label: ");
        buf_text(&message, label->string);
        buf_string(&message, ", category labels must be unique");
    } else if (value->number == json_number_at(other, "value", 0)) {
        buf_string(&message, "Duplicate category value: ");
        json_put_number(&message, value->number);
        buf_string(&message, ", category values must be unique");
    }
    bool twins = message.size > 0;
    buf_char(&message, '\0');
    if (twins)
        issues_add_custom(to, "categories", message.failed ? "Duplicate category label" : message.at);
    buf_free(&message);
    return !twins;
}

static void score_config_check_categories(const json *given, issues *to)
{
    bool ok = json_is(given, JSON_ARRAY) && json_count(given) <= SCORE_CONFIG_MAX_CATEGORIES;
    for (const json *item = json_first(given, JSON_ARRAY); ok && item != NULL; item = item->next)
        ok = json_string_at(item, "label").size > 0 && json_is(json_get(item, "value"), JSON_NUMBER);
    if (!ok) {
        issues_add_custom(to, "categories",
                          "Category must be an array of objects with label value pairs, where labels and values are unique.");
        return;
    }
    for (const json *item = given->first; item != NULL; item = item->next)
        for (const json *before = given->first; before != item; before = before->next)
            if (!score_config_check_twins(item, before, to))
                return;
}

static void score_config_check_absent(const json *body, const char *name, bool or_null, issues *to)
{
    const json *value = json_get(body, name);
    if (value != NULL && (!or_null || value->kind != JSON_NULL))
        issues_add_type(to, name, "undefined", value);
}

/* A member of a change cannot be taken away by null. */
static void score_config_check_number(const json *body, const char *name, bool or_null, issues *to)
{
    const json *value = json_get(body, name);
    if (value != NULL && !json_is(value, JSON_NUMBER) && !(or_null && value->kind == JSON_NULL))
        issues_add_type(to, name, "number", value);
}

static void score_config_check_range(bool has_both, double min, double max, issues *to)
{
    if (has_both && max <= min)
        issues_add_refined(to, "", TEXT("Maximum value must be greater than Minimum value"));
}

void score_config_check(const json *body, issues *to)
{
    const json *type = json_get(body, "dataType"), *min = json_get(body, "minValue"), *max = json_get(body, "maxValue");
    bool numeric = json_is_string(type, "NUMERIC"), categorical = json_is_string(type, "CATEGORICAL"),
         boolean = json_is_string(type, "BOOLEAN");
    if (!json_is(body, JSON_OBJECT)) {
        issues_add_wrong_object(to, body);
        return;
    }
    if (!numeric && !categorical && !boolean && !json_is_string(type, "TEXT")) {
        issues_add_discriminator(to, "dataType");
        return;
    }
    score_config_check_name(json_get(body, "name"), true, to);
    issues_check_string(to, json_get(body, "description"), "description", false);
    for (size_t i = 0; i < 2 && !boolean; i++) {
        const char *name = i == 0 ? "maxValue" : "minValue";
        if (numeric)
            score_config_check_number(body, name, true, to);
        else
            score_config_check_absent(body, name, true, to);
    }
    if (categorical)
        score_config_check_categories(json_get(body, "categories"), to);
    else
        score_config_check_absent(body, "categories", numeric, to);
    if (!to->wrong_type && numeric)
        score_config_check_range(json_is(min, JSON_NUMBER) && json_is(max, JSON_NUMBER), json_number_at(body, "minValue", 0),
                                 json_number_at(body, "maxValue", 0), to);
}

void score_config_check_change(const json *body, issues *to)
{
    static const char *const names[] = {"isArchived", "name", "minValue", "maxValue", "categories", "description", NULL};
    const json *archived = json_get(body, "isArchived"), *description = json_get(body, "description");
    size_t given = 0;
    if (!json_is(body, JSON_OBJECT)) {
        issues_add_type(to, "", "object", body);
        return;
    }
    for (size_t i = 0; names[i] != NULL; i++)
        given += json_get(body, names[i]) != NULL;
    if (archived != NULL && !json_is(archived, JSON_TRUE) && !json_is(archived, JSON_FALSE))
        issues_add_type(to, "isArchived", "boolean", archived);
    score_config_check_name(json_get(body, "name"), false, to);
    score_config_check_number(body, "minValue", false, to);
    score_config_check_number(body, "maxValue", false, to);
    if (json_get(body, "categories") != NULL)
        score_config_check_categories(json_get(body, "categories"), to);
    if (description != NULL)
        issues_check_string(to, description, "description", true);
    if (given == 0)
        issues_add_custom(to, "", "Request body cannot be empty. At least one field must be provided for update.");
}

void score_config_check_whole(arena *a, const score_config *c, issues *to)
{
    static const json number = {.kind = JSON_NUMBER}, array = {.kind = JSON_ARRAY};
    bool numeric = text_is(c->data_type, "NUMERIC"), boolean = text_is(c->data_type, "BOOLEAN");
    if (!numeric && !boolean && c->has_max)
        issues_add_type(to, "maxValue", "undefined", &number);
    if (!numeric && !boolean && c->has_min)
        issues_add_type(to, "minValue", "undefined", &number);
    if (boolean && json_count(json_parse(a, c->categories)) != 2)
        issues_add_custom(to, "categories", "Boolean data type must have exactly 2 categories.");
    if (boolean && !text_is(c->categories, "[{\"label\":\"True\",\"value\":1},{\"label\":\"False\",\"value\":0}]"))
        issues_add_custom(to, "categories", "Invalid input");
    if ((numeric || text_is(c->data_type, "TEXT")) && c->categories.at != NULL)
        issues_add_type(to, "categories", "undefined", &array);
    if (numeric && to->count == 0)
        score_config_check_range(c->has_min && c->has_max, c->min, c->max, to);
}

/* ---- Rows ---- */

static text score_config_categories_of(arena *a, const json *given)
{
    buf out = {0};
    buf_char(&out, '[');
    for (const json *item = given->first; item != NULL; item = item->next) {
        json_put_comma(&out);
        buf_char(&out, '{');
        member_text(&out, "label", json_string_at(item, "label"));
        member_number(&out, "value", json_number_at(item, "value", 0));
        buf_char(&out, '}');
    }
    buf_char(&out, ']');
    return buf_move(&out, a);
}

score_config score_config_changed(arena *a, const score_config *old, const json *body)
{
    score_config c = *old;
    const json *archived = json_get(body, "isArchived"), *name = json_get(body, "name"),
               *description = json_get(body, "description"), *categories = json_get(body, "categories"),
               *min = json_get(body, "minValue"), *max = json_get(body, "maxValue");
    if (archived != NULL)
        c.is_archived = json_is(archived, JSON_TRUE);
    if (json_is(name, JSON_STRING))
        c.name = name->string;
    if (json_is(description, JSON_STRING))
        c.description = description->string;
    if (json_is(categories, JSON_ARRAY))
        c.categories = score_config_categories_of(a, categories);
    if (json_is(min, JSON_NUMBER)) {
        c.has_min = true;
        c.min = min->number;
    }
    if (json_is(max, JSON_NUMBER)) {
        c.has_max = true;
        c.max = max->number;
    }
    return c;
}

score_config score_config_from_body(arena *a, text id, const json *body)
{
    score_config c = {.id = id, .data_type = json_string_at(body, "dataType")};
    if (text_is(c.data_type, "BOOLEAN"))
        c.categories = TEXT("[{\"label\":\"True\",\"value\":1},{\"label\":\"False\",\"value\":0}]");
    return score_config_changed(a, &c, body);
}

/* ---- Scores ---- */

static bool score_config_has_category(arena *a, const score_config *c, text label, double *out_number)
{
    for (const json *item = json_first(json_parse(a, c->categories), JSON_ARRAY); item != NULL; item = item->next) {
        if (!text_equal(json_string_at(item, "label"), label))
            continue;
        *out_number = json_number_at(item, "value", 0);
        return true;
    }
    return false;
}

bool score_config_fits(arena *a, const score_config *c, const json *body, double *out_number)
{
    const json *value = json_get(body, "value"), *type = json_get(body, "dataType");
    bool number = json_is(value, JSON_NUMBER);
    *out_number = 0;
    if (c->is_archived || (json_is(type, JSON_STRING) && !text_equal(type->string, c->data_type)))
        return false;
    if (text_is(c->data_type, "NUMERIC"))
        return number && (!c->has_min || value->number >= c->min) && (!c->has_max || value->number <= c->max);
    if (text_is(c->data_type, "BOOLEAN"))
        return number && (value->number == 0 || value->number == 1);
    if (text_is(c->data_type, "CATEGORICAL"))
        return !number && score_config_has_category(a, c, value->string, out_number);
    return !number && value->string.size > 0 && issues_length(value->string) <= SCORE_CONFIG_MAX_TEXT;
}
