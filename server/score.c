#include "score.h"

#include "metadata.h"
#include "observation.h"

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

/* ---- Checking ---- */

static void score_check_value(issues *to, const json *body, text type)
{
    const json *value = json_get(body, "value");
    bool number = json_is(value, JSON_NUMBER), string = json_is(value, JSON_STRING);
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
}

/* A trace, an observation of a trace, a session or a dataset run. */
static void score_check_target(issues *to, const json *body)
{
    int targets = score_is_given(body, "traceId") + score_is_given(body, "sessionId") + score_is_given(body, "datasetRunId");
    if (targets == 1 && (score_is_given(body, "traceId") || !score_is_given(body, "observationId")))
        return;
    issues_add_custom_path(
        to, "\"traceId\",\"sessionId\",\"datasetRunId\",\"observationId\"",
        "Provide exactly one of the following: traceId (with optional observationId), sessionId or datasetRunId. "
        "ObservationId requires traceId.");
}

static void score_check_annotation(issues *to, const json *body, text type)
{
    if (json_is_string(json_get(body, "source"), "ANNOTATION") && !score_is_given(body, "configId") && !text_is(type, "CORRECTION"))
        issues_add_custom(to, "configId", "configId is required when source is ANNOTATION (except for CORRECTION scores).");
}

void score_check(const json *body, bool batch, issues *to)
{
    static const char *const batch_sources[] = {"API", "EVAL", "ANNOTATION", NULL};
    static const char *const sources[] = {"API", "ANNOTATION", NULL};
    static const char *const strings[] = {
        "traceId", "sessionId", "datasetRunId", "observationId", "environment", "comment", "configId", "queueId", NULL};
    const json *name = json_get(body, "name");
    text type = score_type_of(body);
    if (!json_is(body, JSON_OBJECT)) {
        issues_add_type(to, "", "object", body);
        return;
    }
    if (score_is_given(body, "dataType") && (!json_is(json_get(body, "dataType"), JSON_STRING) || !score_is_known_type(type))) {
        issues_add_discriminator(to, "dataType");
        return;
    }
    issues_check_id(to, json_get(body, "id"), "id", false);
    if (issues_check_string(to, name, "name", true) && name->string.size == 0)
        issues_add_short(to, "name", 1);
    for (size_t i = 0; strings[i] != NULL; i++)
        issues_check_string(to, json_get(body, strings[i]), strings[i], false);
    issues_check_option(to, json_get(body, "source"), "source", batch ? batch_sources : sources);
    score_check_value(to, body, type);
    if (to->wrong_type)
        return;
    score_check_target(to, body);
    score_check_annotation(to, body, type);
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
    if (score_has_number(&s))
        s.value = json_number_at(body, "value", 0);
    else
        s.string_value = json_string_at(body, "value");
    return s;
}
