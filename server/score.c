#include "score.h"

#include "loss.h"
#include "metadata.h"
#include "observation.h"

#include <math.h>

enum { SCORE_MAX_TEXT = 500 }; /* characters of a TEXT score */

static const char *const score_types[] = {"NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION", NULL};

static text score_type_of(const json *body)
{
    const json *type = json_get(body, "dataType"), *value = json_get(body, "value");
    if (json_is(type, JSON_STRING))
        return type->string;
    return json_is(value, JSON_STRING) ? TEXT("CATEGORICAL") : TEXT("NUMERIC");
}

static bool score_is_known_type(text type)
{
    for (size_t i = 0; score_types[i] != NULL; i++)
        if (text_is(type, score_types[i]))
            return true;
    return false;
}

static bool score_is_given(const json *body, const char *name)
{
    return !json_is_null(json_get(body, name));
}

/* JavaScript's idea of being there: text that is not empty. */
static bool score_has_text(const json *body, const char *name)
{
    return json_string_at(body, name).size > 0;
}

/* ---- Checking ---- */

static void score_check_value(issues *to, const json *body, text type)
{
    const json *value = json_get(body, "value");
    bool number = json_is(value, JSON_NUMBER) && isfinite(value->number), string = json_is(value, JSON_STRING);
    if (!score_is_given(body, "dataType")) {
        if (!number && !string)
            issues_add_string_or_number(to, "value", value);
    } else if (text_is(type, "NUMERIC") || text_is(type, "BOOLEAN")) {
        if (!number)
            issues_add_type(to, "value", "number", value);
        else if (text_is(type, "BOOLEAN") && value->number != 0 && value->number != 1)
            issues_add_custom(to, "value", "Value must be a number equal to either 0 or 1 for data type BOOLEAN");
    } else if (!string) {
        issues_add_type(to, "value", "string", value);
    } else if (text_is(type, "TEXT")) {
        if (value->string.size == 0)
            issues_add_short(to, "value", 1);
        if (issues_length(value->string) > SCORE_MAX_TEXT)
            issues_add_long(to, "value", SCORE_MAX_TEXT);
    }
    issues_check_string(to, json_get(body, "configId"), "configId", false);
    if (text_is(type, "CORRECTION") && json_is(json_get(body, "configId"), JSON_STRING))
        issues_add_type(to, "configId", "undefined", json_get(body, "configId"));
}

/* A trace, an observation of a trace, a session or a dataset run. */
static void score_check_target(issues *to, const json *body)
{
    bool trace = score_has_text(body, "traceId");
    if (trace + score_has_text(body, "sessionId") + score_has_text(body, "datasetRunId") == 1 &&
        (trace || !score_has_text(body, "observationId")))
        return;
    issues_add_custom_path(
        to, "\"traceId\",\"sessionId\",\"datasetRunId\",\"observationId\"",
        "Provide exactly one of the following: traceId (with optional observationId), sessionId or datasetRunId. "
        "ObservationId requires traceId.");
}

static bool score_lacks_config(const json *body)
{
    return json_is_string(json_get(body, "source"), "ANNOTATION") && !score_has_text(body, "configId") &&
           !text_is(score_type_of(body), "CORRECTION");
}

/* What scores of all types have. Null is no source, and outside of batches no environment. */
static void score_check_members(const json *body, bool batch, issues *to)
{
    static const char *const batch_sources[] = {"API", "EVAL", "ANNOTATION", NULL};
    static const char *const sources[] = {"API", "ANNOTATION", NULL};
    static const char *const strings[] = {"traceId", "sessionId", "datasetRunId", "observationId", "comment", "queueId", NULL};
    const json *id = json_get(body, "id"), *name = json_get(body, "name"), *source = json_get(body, "source"),
               *environment = json_get(body, "environment");
    if (batch)
        issues_check_id(to, id, "id", false);
    else
        issues_check_string(to, id, "id", false);
    if (issues_check_string(to, name, "name", true) && name->string.size == 0)
        issues_add_short(to, "name", 1);
    for (size_t i = 0; strings[i] != NULL; i++)
        issues_check_string(to, json_get(body, strings[i]), strings[i], false);
    issues_check_string(to, environment, "environment", environment != NULL && !batch);
    if (source != NULL && source->kind == JSON_NULL)
        issues_add_option(to, "source", batch ? batch_sources : sources);
    issues_check_option(to, source, "source", batch ? batch_sources : sources);
}

void score_check(const json *body, bool batch, issues *to)
{
    const json *data_type = json_get(body, "dataType");
    text type = score_type_of(body);
    bool known = data_type == NULL || (json_is(data_type, JSON_STRING) && score_is_known_type(type));
    if (!json_is(body, JSON_OBJECT)) {
        issues_add_type(to, "", "object", body);
        if (!batch) /* it is checked against two schemas, of which each says so */
            issues_add_wrong_object(to, body);
        return;
    }
    if (known || !batch)
        score_check_members(body, batch, to);
    if (known)
        score_check_value(to, body, type);
    else
        issues_add_discriminator(to, "dataType");
    if (to->wrong_type)
        return;
    score_check_target(to, body);
    if (!batch && score_lacks_config(body))
        issues_add_custom(to, "configId", "configId is required when source is ANNOTATION (except for CORRECTION scores).");
}

/* ---- What is dropped ---- */

static const json *score_under_config(arena *a, const json *body, const score_config *config, double category)
{
    buf spelling = {0};
    json_put_number(&spelling, category);
    const json members[] = {
        {.kind = JSON_STRING, .key = TEXT("name"), .string = config->name},
        {.kind = JSON_STRING, .key = TEXT("dataType"), .string = config->data_type},
        {.kind = JSON_NUMBER, .key = TEXT(SCORE_CATEGORY), .string = buf_move(&spelling, a), .number = category}};
    json *settled = json_new(a, JSON_OBJECT), *last = NULL;
    for (const json *member = body->first; member != NULL; member = member->next)
        if (!text_lists(TEXT("name,dataType," SCORE_CATEGORY), member->key))
            json_append(a, settled, &last, member);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        json_append(a, settled, &last, &members[i]);
    return settled;
}

const json *score_settle(arena *a, const json *body, const score_config *config, unsigned *losses)
{
    double category;
    bool correction = text_is(score_type_of(body), "CORRECTION");
    if (correction && !score_has_text(body, "traceId")) {
        *losses |= LOSS_CORRECTION;
        return NULL;
    }
    if (score_lacks_config(body) ||
        (score_has_text(body, "configId") && (config == NULL || !score_config_fits(a, config, body, &category)))) {
        *losses |= LOSS_SCORE_CONFIG;
        return NULL;
    }
    return score_has_text(body, "configId") ? score_under_config(a, body, config, category) : body;
}

/* ---- Rows ---- */

bool score_has_number(const score *s)
{
    return text_is(s->data_type, "NUMERIC") || text_is(s->data_type, "BOOLEAN");
}

score score_from_body(arena *a, text id, const json *body)
{
    const json *comment = json_get(body, "comment");
    score s = {.id = id,
               .name = json_string_at(body, "name"),
               .data_type = score_type_of(body),
               .source = json_string_at(body, "source"),
               .environment = observation_environment(a, json_string_at(body, "environment")),
               .trace_id = json_string_at(body, "traceId"),
               .observation_id = json_string_at(body, "observationId"),
               .session_id = json_string_at(body, "sessionId"),
               .dataset_run_id = json_string_at(body, "datasetRunId"),
               .config_id = json_string_at(body, "configId"),
               .queue_id = json_string_at(body, "queueId"),
               .metadata = metadata_of_json(a, json_get(body, "metadata"))};
    if (s.source.size == 0)
        s.source = TEXT("API");
    if (json_is(comment, JSON_STRING))
        s.comment = comment->string;
    if (text_is(s.data_type, "CORRECTION")) /* whatever the client calls it */
        s.name = TEXT("output");
    if (score_has_number(&s))
        s.value = json_number_at(body, "value", 0);
    else
        s.string_value = json_string_at(body, "value");
    if (s.config_id.size > 0 && text_is(s.data_type, "CATEGORICAL"))
        s.value = json_number_at(body, SCORE_CATEGORY, 0);
    return s;
}
