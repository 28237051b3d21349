#include "observation.h"

#include <string.h>

const char *const observation_types[] = {"GENERATION", "SPAN",      "EVENT",     "AGENT",     "TOOL", "CHAIN",
                                         "RETRIEVER",  "EVALUATOR", "EMBEDDING", "GUARDRAIL", NULL};
const char *const observation_levels[] = {"DEBUG", "DEFAULT", "WARNING", "ERROR", NULL};

bool observation_is_of_batch(const observation *o)
{
    return o->own_metadata.at == NULL;
}

bool observation_is_root(const observation *o)
{
    return o->parent_id.size == 0 || o->is_app_root;
}

observation observation_keep(arena *a, const observation *row)
{
    observation kept = *row;
    text *const texts[] = {
        &kept.trace_id,       &kept.id,           &kept.parent_id,      &kept.type,        &kept.name,
        &kept.level,          &kept.version,      &kept.status_message, &kept.environment, &kept.release,
        &kept.user_id,        &kept.tags,         &kept.session_id,     &kept.trace_name,  &kept.input,
        &kept.output,         &kept.metadata,     &kept.experiment,     &kept.model,       &kept.model_parameters,
        &kept.usage,          &kept.cost,         &kept.prompt_name,    &kept.trace_input, &kept.trace_output,
        &kept.trace_metadata, &kept.own_metadata, &kept.prompt_id,      &kept.model_id,    &kept.tier};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i]->at != NULL)
            *texts[i] = arena_copy(a, *texts[i]);
    return kept;
}

text observation_environment(arena *a, text given)
{
    const size_t longest = 40; /* the server's limit for environment names */
    char *name = arena_take(a, given.size);
    if (name == NULL)
        return TEXT("default");
    for (size_t i = 0; i < given.size; i++)
        name[i] = (char)(given.at[i] >= 'A' && given.at[i] <= 'Z' ? given.at[i] - 'A' + 'a' : given.at[i]);
    text result = {name, given.size};
    while (text_skip(&result, "langfuse"))
        if (!text_skip(&result, "-"))
            text_skip(&result, "_");
    if (result.size > longest)
        result.size = longest;
    for (size_t i = 0; i < result.size; i++)
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", result.at[i] != '\0' ? result.at[i] : '?') == NULL)
            return TEXT("default");
    return result.size > 0 ? result : TEXT("default");
}
