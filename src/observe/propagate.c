#include "propagate.h"

#include "../base/hash.h"
#include "../base/json.h"

#include <string.h>

/* ---- Tags ------------------------------------------------------------------------------------------------------- */

enum { PROPAGATE_SLOTS = 2048 }; /* of the table below: a power of two, twice LF__TAGS_MAX */

/* The tags that were seen, as places in the scratch buffer, where their texts stay until the end. Large: only what must be
 * zero at first is cleared. */
typedef struct propagate_tags {
    lf__buf *scratch;
    size_t begin; /* of what is ours in it */
    bool (*add)(void *owner, const char *tag, size_t size);
    void *owner;
    size_t looked_at;
    size_t count;
    uint32_t start[LF__TAGS_MAX];
    uint32_t size[LF__TAGS_MAX];
    uint16_t slot[PROPAGATE_SLOTS]; /* by hash: the number of a tag plus one, 0 for none */
} propagate_tags;

/* The text that was appended to the scratch buffer since `start` is a tag: give it to `add`, unless it was seen. */
static bool propagate_add_tag(propagate_tags *tags, size_t start)
{
    lf__buf *scratch = tags->scratch;
    size_t size = scratch->length - start;
    if (scratch->failed || size == 0)
        return !scratch->failed;
    const char *text = scratch->data + start;
    size_t at = lf__hash(LF__HASH, (lf__text){text, size}) % PROPAGATE_SLOTS;
    for (; tags->slot[at] != 0; at = (at + 1) % PROPAGATE_SLOTS) {
        size_t i = tags->slot[at] - 1u;
        if (tags->size[i] == size && memcmp(scratch->data + tags->begin + tags->start[i], text, size) == 0) {
            lf__buf_rewind(scratch, start);
            return true;
        }
    }
    tags->start[tags->count] = (uint32_t)(start - tags->begin);
    tags->size[tags->count] = (uint32_t)size;
    tags->slot[at] = (uint16_t)++tags->count;
    return tags->add(tags->owner, text, size);
}

static bool propagate_add_item(propagate_tags *tags, lf__text item, bool limited)
{
    bool is_text = item.at[0] == '"';
    size_t start = tags->scratch->length;
    if (item.at[0] == 'n' || (limited && !(is_text && lf__propagated_json(item.at, item.size))))
        return true;
    if (is_text)
        lf__json_unescape(tags->scratch, item.at + 1, item.size - 2);
    else
        lf__buf_add(tags->scratch, item.at, item.size);
    return propagate_add_tag(tags, start);
}

static bool propagate_add_field(propagate_tags *tags, const lf__field *field)
{
    const char *text = lf__field_payload(field);
    if (field->kind == LF_KIND_STRING && lf__propagated_text(text, field->length)) {
        size_t start = tags->scratch->length;
        tags->looked_at++;
        lf__utf8_add(tags->scratch, text, field->length);
        return propagate_add_tag(tags, start);
    }
    lf__text item;
    bool is_list = field->kind == LF_KIND_JSON && lf__json_valid(text, field->length);
    for (size_t at = 0; is_list && tags->looked_at < LF__TAGS_MAX && lf__json_next_item(text, field->length, &at, &item);) {
        tags->looked_at++;
        if (!propagate_add_item(tags, item, lf__is_propagated(field)))
            return false;
    }
    return true;
}

bool lf__view_tags(const lf__view *view, lf__buf *scratch, bool (*add)(void *owner, const char *tag, size_t size), void *owner)
{
    if (view->last[LF__TAG_TRACE_TAGS] == NULL)
        return true;
    propagate_tags tags;
    tags.scratch = scratch;
    tags.begin = scratch->length;
    tags.add = add;
    tags.owner = owner;
    tags.looked_at = tags.count = 0;
    memset(tags.slot, 0, sizeof tags.slot);
    bool done = !scratch->failed;
    for (const lf__field *field = NULL;
         done && tags.looked_at < LF__TAGS_MAX && (field = lf__view_next_of(view, LF__TAG_TRACE_TAGS, field)) != NULL;)
        done = propagate_add_field(&tags, field);
    scratch->length = tags.begin; /* lf__buf_rewind would hide a failure */
    return done;
}

/* ---- What breaks a limit ---------------------------------------------------------------------------------------- */

static bool propagate_tags_fit(const lf__field *field)
{
    lf__text item;
    for (size_t at = 0; lf__json_next_item(lf__field_payload(field), field->length, &at, &item);)
        if (item.at[0] != '"' || !lf__propagated_json(item.at, item.size))
            return false;
    return true;
}

static bool propagate_metadata_fits(const lf__field *field)
{
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(lf__field_payload(field), field->length, &at, &member);)
        if (!lf__propagated_json(member.value, member.value_size))
            return false;
    return true;
}

static unsigned propagate_problem(const lf__field *field)
{
    bool valid = lf__propagated_valid(field);
    switch (field->tag) {
    case LF__TAG_USER_ID: return valid ? 0 : LF__PROBLEM_USER_ID;
    case LF__TAG_SESSION_ID: return valid ? 0 : LF__PROBLEM_SESSION_ID;
    case LF__TAG_VERSION: return valid ? 0 : LF__PROBLEM_VERSION;
    case LF__TAG_TRACE_NAME: return valid ? 0 : LF__PROBLEM_TRACE_NAME;
    case LF__TAG_ENVIRONMENT: return valid ? 0 : LF__PROBLEM_ENVIRONMENT;
    case LF__TAG_TRACE_TAGS: return valid && propagate_tags_fit(field) ? 0 : LF__PROBLEM_TAGS;
    case LF__TAG_TRACE_METADATA: return valid && propagate_metadata_fits(field) ? 0 : LF__PROBLEM_METADATA;
    case LF__TAG_PROMPT_NAME: return valid ? 0 : LF__PROBLEM_PROMPT;
    default: return 0;
    }
}

unsigned lf__propagated_problems(const lf__record *record)
{
    unsigned problems = 0;
    for (const lf__field *field = NULL; (field = lf__record_next(record, field)) != NULL;)
        if (lf__is_propagated(field))
            problems |= propagate_problem(field);
    return problems;
}

const char *lf__propagated_problem_text(unsigned bit)
{
    switch (bit) {
    case LF__PROBLEM_USER_ID: return "user_id is longer than 200 characters and is not sent";
    case LF__PROBLEM_SESSION_ID: return "session_id is longer than 200 characters and is not sent";
    case LF__PROBLEM_VERSION: return "version is longer than 200 characters and is not sent";
    case LF__PROBLEM_TRACE_NAME: return "trace_name is longer than 200 characters and is not sent";
    case LF__PROBLEM_ENVIRONMENT:
        return "environment is not 1 to 40 of a-z, 0-9, - and _, or begins with \"langfuse\", and is not sent";
    case LF__PROBLEM_TAGS: return "tags that are not text of at most 200 characters are not sent";
    case LF__PROBLEM_METADATA: return "metadata that is not an object, or values of it longer than 200 characters, are not sent";
    case LF__PROBLEM_PROMPT: return "a prompt without a name is not sent";
    default: return "";
    }
}
