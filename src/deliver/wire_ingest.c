/* Batches of events for /api/public/ingestion: scores, and observations and traces for servers that have no OTLP endpoint.
 * One record becomes one or more events. A server merges the events of one trace: the one with the latest timestamp wins, but
 * for the trace's time and environment the earliest one does.
 */
#include "../base/hash.h"
#include "../base/ids.h"
#include "../base/json.h"
#include "../base/sha256.h"
#include "../model/usage.h"
#include "../observe/propagate.h"
#include "wire.h"
#include "wire_text.h"

#include <string.h>

enum {
    INGEST_MAX_TRACE_NAME = 1000, /* UTF-16 units */
    /* The server answers about each event: 60 bytes when it took it, several hundred when it did not. So many items, of at most
     * three events each, get an answer that fits. */
    INGEST_ITEMS_MAX = 500,
    INGEST_ANSWER_MAX = 1 << 20
};

typedef struct ingest {
    lf__buf *out;
    lf__buf *scratch;
    const lf__wire_context *context;
    lf__view view;
    size_t start; /* of the item in `out` */
    uint64_t start_ns; /* wall clock */
    uint64_t end_ns;
    lf__wire_event event; /* about the trace, if there is one in this item */
    bool failed;
} ingest;

/* ---- Members of a body ------------------------------------------------------------------------------------------ */

/* Before every member of an object but the first. */
static void ingest_comma(lf__buf *out)
{
    if (!out->failed && out->length > 0 && out->data[out->length - 1] != '{')
        lf__buf_add_char(out, ',');
}

static void ingest_key(lf__buf *out, const char *key)
{
    ingest_comma(out);
    lf__buf_add_char(out, '"');
    lf__buf_add_text(out, key);
    LF__BUF_ADD(out, "\":");
}

static void ingest_text(lf__buf *out, const char *key, const char *text, size_t size)
{
    ingest_key(out, key);
    lf__json_string(out, text, size);
}

static void ingest_option(lf__buf *out, const char *key, const char *text)
{
    if (text != NULL)
        ingest_text(out, key, text, strlen(text));
}

static void ingest_time(lf__buf *out, const char *key, uint64_t wall_ns)
{
    char text[LF__WIRE_TIME_SIZE];
    ingest_text(out, key, text, lf__wire_time(text, wall_ns));
}

/* At most as many bytes as a trace's id has. */
static void ingest_hex(lf__buf *out, const char *key, const uint8_t *bytes, size_t size)
{
    char text[LF_TRACE_ID_SIZE];
    lf__id_write(bytes, size, text);
    ingest_text(out, key, text, 2 * size);
}

/* The text in the scratch buffer. Its failure is kept here: the next user of the buffer clears it. */
static void ingest_scratch(ingest *to, const char *key)
{
    to->failed |= to->scratch->failed;
    if (!to->failed)
        ingest_text(to->out, key, to->scratch->length > 0 ? to->scratch->data : "", to->scratch->length);
}

/* JSON where the field is JSON, a string where it is text. */
static void ingest_value(ingest *to, const char *key, const lf__field *field)
{
    if (!lf__field_is_set(field))
        return;
    ingest_key(to->out, key);
    lf__field_json(to->out, field);
}

/* A string, whatever the field is: the server refuses an event that has another kind where it expects a string. */
static void ingest_string(ingest *to, const char *key, const lf__field *field)
{
    if (!lf__field_is_set(field))
        return;
    if (field->kind == LF_KIND_STRING || field->kind == LF_KIND_JSON) {
        ingest_text(to->out, key, lf__field_payload(field), field->length);
        return;
    }
    lf__buf_clear(to->scratch);
    lf__field_text(to->scratch, field);
    ingest_scratch(to, key);
}

/* A number, true or false. */
static bool ingest_is_scalar(const lf__field *field)
{
    for (const char *first = "-0123456789tf"; *first != '\0'; first++)
        if (lf__field_is_json(field, *first))
            return true;
    switch ((lf_kind)field->kind) {
    case LF_KIND_BOOL:
    case LF_KIND_INT:
    case LF_KIND_UINT:
    case LF_KIND_INT128:
    case LF_KIND_UINT128:
    case LF_KIND_FLOAT:
    case LF_KIND_DOUBLE: return true;
    default: return false;
    }
}

/* An input or an output. The server takes one that JavaScript calls true, so it loses 0 and false. As text they arrive, and the
 * server reads them as a number or a boolean again. Some are text anyway, as a number that a double cannot hold. */
static void ingest_content(ingest *to, const char *key, const lf__field *field)
{
    bool scalar = lf__field_is_set(field) && ingest_is_scalar(field);
    if (scalar) {
        lf__buf_clear(to->scratch);
        lf__field_json(to->scratch, field);
        scalar = to->scratch->failed || to->scratch->data[0] != '"';
    }
    if (scalar)
        ingest_scratch(to, key);
    else
        ingest_value(to, key, field);
}

/* ---- Events ----------------------------------------------------------------------------------------------------- */

/* An event's identity, by which the server notices that a batch comes twice. An observation has one by its ids and times; scores
 * and updates of traces may share these, so their fields count too. */
static void ingest_hash(ingest *to, const char *what, uint8_t hash[32])
{
    const lf__record *record = to->view.record;
    lf__buf *scratch = to->scratch;
    lf__buf_clear(scratch);
    lf__buf_add_text(scratch, what);
    lf__buf_add(scratch, record->trace_id, sizeof record->trace_id);
    lf__buf_add(scratch, record->id, sizeof record->id);
    lf__buf_add(scratch, &record->start_ns, sizeof record->start_ns);
    lf__buf_add(scratch, &record->end_ns, sizeof record->end_ns);
    for (const lf__field *field = NULL;
         record->kind != LF__RECORD_OBSERVATION && (field = lf__record_next(record, field)) != NULL;) {
        lf__buf_add(scratch, field, sizeof *field);
        lf__buf_add(scratch, lf__field_payload(field), field->length);
    }
    to->failed |= scratch->failed;
    if (!scratch->failed)
        lf__sha256(scratch->data, scratch->length, hash);
}

/* Begin an event up to the opening brace of its body. `what` tells apart events of one type and record. */
static void ingest_begin(ingest *to, const char *what, const char *type, uint64_t wall_ns)
{
    lf__buf *out = to->out;
    uint8_t hash[32] = {0};
    ingest_hash(to, what, hash);
    lf__buf_add(out, ",", !out->failed && out->length > to->start);
    lf__buf_add_char(out, '{');
    ingest_hex(out, "id", hash, 16);
    LF__BUF_ADD(out, ",\"type\":\"");
    lf__buf_add_text(out, type);
    LF__BUF_ADD(out, "-create\"");
    ingest_time(out, "timestamp", wall_ns);
    ingest_key(out, "body");
    lf__buf_add_char(out, '{');
}

static void ingest_end(ingest *to)
{
    LF__BUF_ADD(to->out, "}}");
}

/* ---- Ids -------------------------------------------------------------------------------------------------------- */

static bool ingest_is_id(const lf__field *field)
{
    return field != NULL && field->kind == LF_KIND_STRING && lf__wire_is_id(lf__field_payload(field), field->length);
}

/* This endpoint takes any text as an id, so the user's own is sent; where the observations go by another endpoint, the hex digits
 * that are derived from it. */
static void ingest_id(ingest *to, const char *key, const lf__field *external, const uint8_t *bytes, size_t size)
{
    if (to->context->keeps_ids && ingest_is_id(external))
        ingest_text(to->out, key, lf__field_payload(external), external->length);
    else
        ingest_hex(to->out, key, bytes, size);
}

/* The text behind an observation's id, if the program gave it one. */
static const lf__field *ingest_alias(ingest *to, const uint8_t id[8])
{
    const lf__field *field = NULL;
    while (to->context->trace != NULL && (field = lf__record_next(to->context->trace, field)) != NULL)
        if (field->tag == LF__TAG_ALIAS && field->length > 8 && memcmp(lf__field_payload(field), id, 8) == 0)
            return field;
    return NULL;
}

/* The id of another observation: of the parent, or of the one that a score judges. */
static void ingest_other_id(ingest *to, const char *key, const lf__field *external, const uint8_t id[8])
{
    const lf__field *alias = external == NULL && to->context->keeps_ids ? ingest_alias(to, id) : NULL;
    const char *text = alias != NULL ? (const char *)lf__field_payload(alias) + 8 : NULL;
    if (text != NULL && lf__wire_is_id(text, alias->length - 8))
        ingest_text(to->out, key, text, alias->length - 8);
    else
        ingest_id(to, key, external, id, 8);
}

/* All events of a trace must name it alike. A score too, though its view has only its own fields. */
static void ingest_trace_id(ingest *to, const char *key)
{
    const lf__record *record = to->view.record;
    const lf__field *external = to->view.last[LF__TAG_EXTERNAL_TRACE_ID];
    for (const lf__field *field = NULL;
         external == NULL && to->context->trace != NULL && (field = lf__record_next(to->context->trace, field)) != NULL;)
        if (field->tag == LF__TAG_EXTERNAL_TRACE_ID)
            external = field;
    ingest_id(to, key, external, record->trace_id, sizeof record->trace_id);
}

/* ---- Fields that need more than copying --------------------------------------------------------------------------- */

static void ingest_environment(ingest *to)
{
    if (lf__field_is_set(to->view.last[LF__TAG_ENVIRONMENT]))
        ingest_string(to, "environment", to->view.last[LF__TAG_ENVIRONMENT]);
    else
        ingest_option(to->out, "environment", to->context->config->environment);
}

static void ingest_input(ingest *to)
{
    if (to->view.last[LF__TAG_INPUT] != NULL) {
        ingest_content(to, "input", to->view.last[LF__TAG_INPUT]);
    } else if (to->view.last[LF__TAG_ARGUMENT] != NULL) {
        ingest_key(to->out, "input");
        lf__view_arguments_json(to->out, &to->view);
    }
}

static void ingest_output(ingest *to)
{
    if (!to->view.pieces_win) {
        ingest_content(to, "output", to->view.last[LF__TAG_OUTPUT]);
        return;
    }
    lf__buf_clear(to->scratch);
    lf__wire_pieces(to->scratch, &to->view);
    ingest_scratch(to, "output");
}

static void ingest_raw_or_text(lf__buf *out, const char *value, size_t size, bool as_text)
{
    if (as_text)
        lf__json_string(out, value, size);
    else
        lf__buf_add(out, value, size);
}

static void ingest_member(lf__buf *out, const lf__wire_member *member)
{
    ingest_comma(out);
    lf__json_string(out, member->key, member->key_size);
    lf__buf_add_char(out, ':');
    ingest_raw_or_text(out, member->value, member->value_size, member->as_text || member->is_text);
}

static bool ingest_is_text(const char *text, size_t size, const char *other)
{
    return size == strlen(other) && memcmp(text, other, size) == 0;
}

static bool ingest_names_metadata(const lf__wire_metadata *metadata)
{
    for (size_t i = 0; i < metadata->count; i++)
        if (ingest_is_text(metadata->members[i].key, metadata->members[i].key_size, "metadata"))
            return true;
    return false;
}

/* One object. A value of another kind stands alone, or beside the keys of objects as "metadata", where the server puts it too. */
static void ingest_metadata(ingest *to, lf__tag tag, const char *incomplete)
{
    static const char key[] = "incomplete";
    size_t count = incomplete != NULL;
    const lf__wire_member remark = {key, sizeof key - 1, incomplete, count > 0 ? strlen(incomplete) : 0, .is_text = true};
    lf__wire_metadata metadata;
    if (!lf__wire_metadata_read(&metadata, to->scratch, &to->view, tag, "", &remark, count)) {
        to->failed = true;
        return;
    }
    if (metadata.count == 0) {
        ingest_value(to, "metadata", metadata.whole);
        return;
    }
    ingest_key(to->out, "metadata");
    lf__buf_add_char(to->out, '{');
    for (size_t i = 0; i < metadata.count; i++)
        ingest_member(to->out, &metadata.members[i]);
    if (!ingest_names_metadata(&metadata))
        ingest_value(to, "metadata", metadata.whole);
    lf__buf_add_char(to->out, '}');
}

/* What becomes of a member of a map. The server refuses the whole event for one value of another kind than it expects. */
typedef enum ingest_form { INGEST_OMITTED, INGEST_AS_JSON, INGEST_AS_TEXT } ingest_form;
typedef ingest_form (*ingest_rule)(const char *value, size_t size);

/* Numbers from 0 up. */
static ingest_form ingest_cost(const char *value, size_t size)
{
    (void)size;
    return value[0] >= '0' && value[0] <= '9' ? INGEST_AS_JSON : INGEST_OMITTED;
}

/* Whole numbers from 0 up, as far as a double is exact. */
static ingest_form ingest_count(const char *value, size_t size)
{
    enum { DIGITS_MAX = 15 };
    bool whole = size <= DIGITS_MAX && memchr(value, '.', size) == NULL && memchr(value, 'e', size) == NULL &&
                 memchr(value, 'E', size) == NULL;
    return whole ? ingest_cost(value, size) : INGEST_OMITTED;
}

static bool ingest_is_one_of(const char *text, size_t size, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ingest_is_text(text, size, list[i]))
            return true;
    return false;
}

/* Lists and objects become text, as the OTLP endpoint makes them. */
static ingest_form ingest_parameter(const char *value, size_t size)
{
    (void)size;
    return value[0] == '[' || value[0] == '{' ? INGEST_AS_TEXT : INGEST_AS_JSON;
}

/* A member of valid JSON, as it stands there or its value as text. */
static void ingest_json_member(lf__buf *out, const lf__json_member *member, bool as_text)
{
    ingest_comma(out);
    lf__buf_add(out, member->key - 1, member->key_size + 2); /* with its quotes */
    lf__buf_add_char(out, ':');
    ingest_raw_or_text(out, member->value, member->value_size, as_text);
}

/* A valid object, member by member. */
static void ingest_members(lf__buf *out, const char *key, const char *json, size_t size, ingest_rule rule)
{
    ingest_key(out, key);
    lf__buf_add_char(out, '{');
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(json, size, &at, &member);) {
        ingest_form form = rule(member.value, member.value_size);
        if (form != INGEST_OMITTED)
            ingest_json_member(out, &member, form == INGEST_AS_TEXT);
    }
    lf__buf_add_char(out, '}');
}

/* The field if it is an object. */
static const lf__field *ingest_object(const lf__field *field)
{
    return field != NULL && lf__field_is_json(field, '{') ? field : NULL;
}

/* Nothing when the field is no object. */
static void ingest_map(ingest *to, const char *key, const lf__field *field, ingest_rule rule)
{
    if (ingest_object(field) != NULL)
        ingest_members(to->out, key, lf__field_payload(field), field->length, rule);
}

static bool ingest_is_whole(const lf__json_member *member)
{
    return ingest_count(member->value, member->value_size) == INGEST_AS_JSON;
}

/* What `usage` says so far: any counts, and of what. */
typedef struct ingest_usage {
    bool counts;
    bool unit;
} ingest_usage;

/* Numbers and a known unit of the usage as it was given. Counts must be whole numbers here; with `counts` false they are left
 * out, since details that were given say more. */
static void ingest_given_usage(ingest *to, ingest_usage *said, const lf__field *given, bool counts)
{
    static const char *const units[] = {"\"TOKENS\"",  "\"CHARACTERS\"", "\"MILLISECONDS\"",
                                        "\"SECONDS\"", "\"IMAGES\"",     "\"REQUESTS\""};
    static const char *const names[] = {"input", "output", "total", "promptTokens", "completionTokens", "totalTokens"};
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(lf__field_payload(given), given->length, &at, &member);) {
        bool unit = ingest_is_text(member.key, member.key_size, "unit");
        bool count = ingest_is_one_of(member.key, member.key_size, names, sizeof names / sizeof *names);
        bool taken = unit    ? ingest_is_one_of(member.value, member.value_size, units, sizeof units / sizeof *units)
                     : count ? counts && ingest_is_whole(&member)
                             : ingest_cost(member.value, member.value_size) == INGEST_AS_JSON;
        if (!taken)
            continue;
        ingest_json_member(to->out, &member, false);
        said->counts |= count;
        said->unit |= unit;
    }
}

/* Servers before version 3 read counts in `usage` only. Later ones read both, and the details win key by key: counts that are
 * taken from these change nothing there. */
static void ingest_usage_object(ingest *to, const lf__field *given, bool given_details, const char *details, size_t size)
{
    static const char *const names[] = {"input", "output", "total"};
    lf__buf *out = to->out;
    size_t before = out->length;
    ingest_usage said = {false, false};
    ingest_key(out, "usage");
    lf__buf_add_char(out, '{');
    size_t empty = out->length;
    if (given != NULL)
        ingest_given_usage(to, &said, given, !given_details);
    lf__json_member member;
    bool missing = !said.counts;
    for (size_t at = 0; missing && lf__json_next_member(details, size, &at, &member);) {
        if (!ingest_is_one_of(member.key, member.key_size, names, sizeof names / sizeof *names) || !ingest_is_whole(&member))
            continue;
        ingest_json_member(out, &member, false);
        said.counts = true;
    }
    if (missing && said.counts && !said.unit)
        LF__BUF_ADD(out, ",\"unit\":\"TOKENS\"");
    if (!out->failed && out->length == empty)
        lf__buf_rewind(out, before);
    else
        lf__buf_add_char(out, '}');
}

static bool ingest_nests(const lf__field *map)
{
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(lf__field_payload(map), map->length, &at, &member);)
        if (member.value[0] == '{')
            return true;
    return false;
}

/* Details that nest as OpenAI's do, made flat into the scratch buffer: the server takes them only where it knows every key. Numbers
 * of the program's own stay. */
static void ingest_flatten(ingest *to, const lf__field *map)
{
    lf__buf *out = to->scratch, no_costs;
    char memory[LF__USAGE_COSTS_MAX];
    lf__buf_over(&no_costs, memory, sizeof memory);
    lf__buf_clear(out);
    to->failed |= !lf__usage_convert(out, &no_costs, lf__field_payload(map), map->length, lf__wire_model(&to->view));
    if (out->length > 0)
        out->length--; /* open again */
    else
        lf__buf_add_char(out, '{');
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(lf__field_payload(map), map->length, &at, &member);)
        if (ingest_is_whole(&member) && !lf__usage_knows((lf__text){member.key, member.key_size}))
            ingest_json_member(out, &member, false);
    if (out->length > 1)
        lf__buf_add_char(out, '}');
    else
        out->length = 0;
    to->failed |= out->failed;
}

/* Details that were given go first; usage in another API's words fills in. */
static void ingest_usage_details(ingest *to)
{
    const lf__field *usage = ingest_object(to->view.last[LF__TAG_USAGE]), *details = to->view.last[LF__TAG_USAGE_DETAILS];
    const lf__field *given_costs = to->view.last[LF__TAG_COST_DETAILS], *map = ingest_object(details);
    char memory[LF__USAGE_COSTS_MAX];
    lf__buf costs;
    lf__buf_over(&costs, memory, sizeof memory);
    lf__buf_clear(to->scratch);
    if (usage != NULL && (details == NULL || given_costs == NULL))
        to->failed |= !lf__usage_convert(to->scratch, &costs, lf__field_payload(usage), usage->length, lf__wire_model(&to->view));
    bool nests = map != NULL && ingest_nests(map);
    if (nests)
        ingest_flatten(to, map);
    const char *counts = nests || details == NULL ? to->scratch->data : map != NULL ? lf__field_payload(map) : NULL;
    size_t size = nests || details == NULL ? to->scratch->length : map != NULL ? map->length : 0;
    ingest_usage_object(to, usage, map != NULL, counts, size);
    if (size > 0)
        ingest_members(to->out, "usageDetails", counts, size, ingest_count);
    ingest_map(to, "costDetails", given_costs, ingest_cost);
    if (given_costs == NULL && costs.length > 0)
        ingest_members(to->out, "costDetails", costs.data, costs.length, ingest_cost);
}

/* ---- Traces ----------------------------------------------------------------------------------------------------- */

static bool ingest_is_root(const lf__record *record)
{
    return (record->flags & LF__FLAG_APP_ROOT) != 0 || lf__id_is_zero(record->parent_id, sizeof record->parent_id);
}

static bool ingest_is_own(ingest *to, const lf__field *field)
{
    const char *at = (const char *)field, *record = (const char *)to->view.record;
    return at >= record && at < record + to->view.record->size;
}

/* The version that is meant for the trace: a root's own too, another observation's only if it was propagated. */
static const lf__field *ingest_trace_version(ingest *to, bool root)
{
    const lf__field *version = NULL;
    for (const lf__field *field = NULL; (field = lf__view_next_of(&to->view, LF__TAG_VERSION, field)) != NULL;)
        if (root || !ingest_is_own(to, field) || lf__is_propagated(field))
            version = field;
    return version;
}

/* Does an observation below the root say anything of its trace? */
static bool ingest_speaks_of_trace(ingest *to)
{
    static const lf__tag tags[] = {LF__TAG_USER_ID,      LF__TAG_SESSION_ID,     LF__TAG_TRACE_NAME,
                                   LF__TAG_TRACE_TAGS,   LF__TAG_TRACE_METADATA, LF__TAG_TRACE_INPUT,
                                   LF__TAG_TRACE_OUTPUT, LF__TAG_TRACE_PUBLIC,   LF__TAG_RELEASE};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (to->view.last[tags[i]] != NULL)
            return true;
    return ingest_trace_version(to, false) != NULL;
}

static void ingest_observation_name(ingest *to, const char **name, size_t *size)
{
    const lf__field *field = to->view.last[LF__TAG_NAME];
    bool given = field != NULL && field->kind == LF_KIND_STRING && field->length > 0;
    const char *function = to->view.site->function[0] != '\0' ? to->view.site->function : "observation";
    *name = given ? lf__field_payload(field) : function;
    *size = given ? field->length : strlen(function);
}

/* A name is cut at the length that the server takes. It counts UTF-16 units: two for a character of four bytes in UTF-8. */
static void ingest_trace_name(ingest *to, const char *name, size_t size)
{
    lf__buf *scratch = to->scratch;
    lf__buf_clear(scratch);
    lf__utf8_add(scratch, name, size);
    size_t units = 0;
    for (size_t i = 0; i < scratch->length; i++) {
        unsigned char byte = (unsigned char)scratch->data[i];
        units += byte >= 0xf0 ? 2 : (byte & 0xc0) != 0x80;
        if (units > INGEST_MAX_TRACE_NAME)
            scratch->length = i;
    }
    ingest_scratch(to, "name");
}

static bool ingest_tag(void *owner, const char *tag, size_t size)
{
    lf__buf *out = ((ingest *)owner)->out;
    lf__buf_add(out, ",", !out->failed && out->data[out->length - 1] != '[');
    return lf__json_string(out, tag, size);
}

static void ingest_tags(ingest *to)
{
    if (to->view.last[LF__TAG_TRACE_TAGS] == NULL)
        return;
    lf__buf *out = to->out;
    size_t before = out->length;
    ingest_key(out, "tags");
    lf__buf_add_char(out, '[');
    size_t empty = out->length;
    lf__buf_clear(to->scratch);
    to->failed |= !lf__view_tags(&to->view, to->scratch, ingest_tag, to);
    if (!out->failed && out->length == empty)
        lf__buf_rewind(out, before);
    else
        lf__buf_add_char(out, ']');
}

/* The trace begins with its root. That is an event of its own: the server keeps the trace's time of the earliest event, and all
 * else that the root says of the latest one. */
static void ingest_trace_begin(ingest *to)
{
    ingest_begin(to, "trace begin", "trace", to->start_ns);
    ingest_trace_id(to, "id");
    ingest_time(to->out, "timestamp", to->start_ns);
    ingest_environment(to);
    ingest_end(to);
}

/* A server compares whole milliseconds, and of equal ones the first event wins. So a later event of the same millisecond is moved
 * on to the next one, and so are those that then follow too closely. An event that is really earlier, as of another thread,
 * stays where it is. */
static uint64_t ingest_trace_time(ingest *to, uint64_t wall_ns)
{
    const uint8_t *id = to->view.record->trace_id;
    const lf__wire_event *before = to->context->times == NULL ? NULL : &to->context->times->traces[id[15]];
    bool moves = before != NULL && before->given_ms >= wall_ns / 1000000 && before->wall_ns <= wall_ns &&
                 memcmp(before->trace_id, id, sizeof before->trace_id) == 0;
    uint64_t given_ms = moves ? before->given_ms + 1 : wall_ns / 1000000;
    to->event = (lf__wire_event){.wall_ns = wall_ns, .given_ms = given_ms};
    memcpy(to->event.trace_id, id, sizeof to->event.trace_id);
    return moves ? given_ms * 1000000 : wall_ns;
}

/* Called once the item is whole. An event before the latest one leaves that as it is. */
static void ingest_remember(const ingest *to)
{
    if (to->context->times == NULL || to->event.given_ms == 0)
        return;
    lf__wire_event *place = &to->context->times->traces[to->event.trace_id[15]];
    if (memcmp(place->trace_id, to->event.trace_id, sizeof place->trace_id) != 0 || place->wall_ns <= to->event.wall_ns)
        *place = to->event;
}

static void ingest_trace(ingest *to, bool root)
{
    const lf__field *const *last = to->view.last;
    bool alone = to->view.record->kind == LF__RECORD_TRACE;
    ingest_begin(to, "trace", "trace", ingest_trace_time(to, to->end_ns));
    ingest_trace_id(to, "id");
    if (root)
        ingest_time(to->out, "timestamp", to->start_ns);
    const lf__field *given = last[LF__TAG_TRACE_NAME];
    if (given != NULL && given->kind == LF_KIND_STRING && given->length > 0) {
        ingest_trace_name(to, lf__field_payload(given), given->length);
    } else if (root) {
        const char *name;
        size_t size;
        ingest_observation_name(to, &name, &size);
        ingest_trace_name(to, name, size);
    }
    ingest_string(to, "userId", last[LF__TAG_USER_ID]);
    ingest_string(to, "sessionId", last[LF__TAG_SESSION_ID]);
    if (lf__field_is_set(last[LF__TAG_RELEASE]))
        ingest_string(to, "release", last[LF__TAG_RELEASE]);
    else if (root)
        ingest_option(to->out, "release", to->context->config->release);
    ingest_string(to, "version", ingest_trace_version(to, root || alone));
    ingest_environment(to);
    if (lf__field_is_set(last[LF__TAG_TRACE_PUBLIC])) {
        ingest_key(to->out, "public");
        lf__buf_add_text(to->out, lf__wire_int(last[LF__TAG_TRACE_PUBLIC]) != 0 ? "true" : "false");
    }
    ingest_tags(to);
    if (last[LF__TAG_TRACE_METADATA] != NULL)
        ingest_metadata(to, LF__TAG_TRACE_METADATA, NULL);
    if (last[LF__TAG_TRACE_INPUT] != NULL || !root)
        ingest_content(to, "input", last[LF__TAG_TRACE_INPUT]);
    else
        ingest_input(to);
    if (last[LF__TAG_TRACE_OUTPUT] != NULL || !root)
        ingest_content(to, "output", last[LF__TAG_TRACE_OUTPUT]);
    else
        ingest_output(to);
    ingest_end(to);
}

/* ---- Observations ----------------------------------------------------------------------------------------------- */

static void ingest_prompt(ingest *to)
{
    const lf__field *name = to->view.last[LF__TAG_PROMPT_NAME];
    int64_t version = lf__wire_int(lf__wire_prompt_version(&to->view));
    if (!lf__field_is_set(name) || name->length == 0 || version == 0)
        return; /* the server refuses one without the other, and takes empty text and 0 for nothing */
    ingest_string(to, "promptName", name);
    ingest_key(to->out, "promptVersion");
    lf__json_int(to->out, version);
}

/* Fields that spans and events cannot have. */
static void ingest_model_fields(ingest *to, lf_type type)
{
    const lf__field *const *last = to->view.last, *first_piece = last[LF__TAG_COMPLETION_START];
    if (lf__field_is_set(first_piece)) {
        uint64_t ns = (uint64_t)lf__wire_int(first_piece);
        ingest_time(to->out, "completionStartTime",
                    lf__wire_wall_ns(ns, first_piece->kind == LF_KIND_INT, to->context->wall_offset_ns));
    }
    ingest_string(to, "model", last[LF__TAG_MODEL]);
    ingest_map(to, "modelParameters", last[LF__TAG_MODEL_PARAMETERS], ingest_parameter);
    ingest_usage_details(to);
    if (type == LF_GENERATION) /* a prompt is propagated to all, and meant for these */
        ingest_prompt(to);
}

static void ingest_level(ingest *to)
{
    const lf__field *const *last = to->view.last;
    const char *message = NULL, *level = lf__wire_level_name((lf_level)lf__wire_int(last[LF__TAG_LEVEL]));
    bool incomplete = lf__wire_incomplete(to->view.record, &message) != NULL;
    ingest_option(to->out, "level", level == NULL && incomplete ? "WARNING" : level);
    if (lf__field_is_set(last[LF__TAG_STATUS_MESSAGE]))
        ingest_string(to, "statusMessage", last[LF__TAG_STATUS_MESSAGE]);
    else
        ingest_option(to->out, "statusMessage", message);
}

static void ingest_observation_body(ingest *to, lf_type type)
{
    const lf__record *record = to->view.record;
    const lf__field *const *last = to->view.last;
    const char *name, *message, *incomplete = lf__wire_incomplete(record, &message);
    size_t size;
    ingest_id(to, "id", last[LF__TAG_EXTERNAL_ID], record->id, sizeof record->id);
    ingest_trace_id(to, "traceId");
    if (!lf__id_is_zero(record->parent_id, sizeof record->parent_id))
        ingest_other_id(to, "parentObservationId", last[LF__TAG_EXTERNAL_PARENT_ID], record->parent_id);
    ingest_observation_name(to, &name, &size);
    ingest_text(to->out, "name", name, size);
    ingest_time(to->out, "startTime", to->start_ns);
    if (type != LF_EVENT)
        ingest_time(to->out, "endTime", to->end_ns);
    ingest_level(to);
    ingest_string(to, "version", last[LF__TAG_VERSION]);
    ingest_environment(to);
    if (type != LF_TYPE_DEFAULT && type != LF_SPAN && type != LF_EVENT)
        ingest_model_fields(to, type);
    ingest_input(to);
    ingest_output(to);
    if (last[LF__TAG_METADATA] != NULL || incomplete != NULL)
        ingest_metadata(to, LF__TAG_METADATA, incomplete);
}

static void ingest_observation(ingest *to)
{
    const lf__record *record = to->view.record;
    const lf__field *type_field = to->view.last[LF__TAG_TYPE];
    lf_type type = type_field != NULL ? (lf_type)lf__wire_int(type_field) : (lf_type)record->type;
    bool root = ingest_is_root(record);
    if (type == LF_EVENT)
        to->end_ns = to->start_ns;
    if (root && to->end_ns > to->start_ns)
        ingest_trace_begin(to);
    if (root || ingest_speaks_of_trace(to))
        ingest_trace(to, root);
    ingest_begin(to, "observation", lf__wire_type_name(type), to->end_ns);
    ingest_observation_body(to, type);
    ingest_end(to);
}

/* ---- Scores ----------------------------------------------------------------------------------------------------- */

/* One target: with two the server refuses the score. */
static void ingest_score_target(ingest *to)
{
    const lf__record *record = to->view.record;
    const lf__field *const *last = to->view.last;
    if ((record->flags & LF__FLAG_NO_TRACE) == 0 && !lf__id_is_zero(record->trace_id, sizeof record->trace_id)) {
        ingest_trace_id(to, "traceId");
        if (!lf__id_is_zero(record->id, sizeof record->id))
            ingest_other_id(to, "observationId", last[LF__TAG_EXTERNAL_ID], record->id);
    } else if (lf__field_is_set(last[LF__TAG_SESSION_ID])) {
        ingest_string(to, "sessionId", last[LF__TAG_SESSION_ID]);
    } else {
        ingest_string(to, "datasetRunId", last[LF__TAG_SCORE_RUN_ID]);
    }
}

static void ingest_score_value(ingest *to)
{
    const lf__field *value = to->view.last[LF__TAG_SCORE_VALUE];
    if (value != NULL && value->kind == LF_KIND_JSON)
        ingest_string(to, "value", value);
    else
        ingest_value(to, "value", value);
}

/* Two scores with one id are one, which the later one changes. A server that takes events wants a later time for it, one that takes
 * lists the same time. Where the program gives no times, the first score's is the time in a list; where it gives the same time again,
 * the event is a millisecond later. *out_list_ns: the time in a list. Returns that of the event. */
static uint64_t ingest_score_time(ingest *to, uint64_t *out_list_ns)
{
    const lf__field *id = to->view.last[LF__TAG_SCORE_ID];
    bool is_given = (to->view.record->flags & LF__FLAG_WALL_START) != 0;
    *out_list_ns = to->start_ns;
    if (to->context->times == NULL || !ingest_is_id(id))
        return to->start_ns;
    uint64_t key = lf__hash(LF__HASH, (lf__text){lf__field_payload(id), id->length});
    if (is_given)
        key = lf__hash(key, (lf__text){(const char *)&to->start_ns, sizeof to->start_ns});
    lf__wire_score *place = &to->context->times->scores[key & 0xff];
    if (place->key != key || place->wall_ns == 0)
        *place = (lf__wire_score){.key = key, .wall_ns = to->start_ns};
    else
        place->later++;
    *out_list_ns = place->wall_ns;
    return to->start_ns + (is_given ? place->later * 1000000 : 0);
}

/* The time in a list, where it is another one than the event's. No server looks at an event's metadata. */
static void ingest_end_score(ingest *to, uint64_t event_ns, uint64_t list_ns)
{
    lf__buf_add_char(to->out, '}');
    if (list_ns != event_ns) {
        LF__BUF_ADD(to->out, ",\"metadata\":{");
        ingest_time(to->out, "timestamp", list_ns);
        lf__buf_add_char(to->out, '}');
    }
    lf__buf_add_char(to->out, '}');
}

static void ingest_score(ingest *to)
{
    const lf__field *const *last = to->view.last;
    uint8_t hash[32] = {0};
    ingest_hash(to, "score id", hash);
    uint64_t list_ns, event_ns = ingest_score_time(to, &list_ns);
    ingest_begin(to, "score", "score", event_ns);
    if (ingest_is_id(last[LF__TAG_SCORE_ID]))
        ingest_string(to, "id", last[LF__TAG_SCORE_ID]);
    else
        ingest_hex(to->out, "id", hash, 8); /* without an id the server accepts a score and forgets it */
    ingest_score_target(to);
    ingest_string(to, "name", last[LF__TAG_NAME]);
    ingest_score_value(to);
    ingest_string(to, "dataType", last[LF__TAG_SCORE_DATA_TYPE]);
    ingest_string(to, "comment", last[LF__TAG_SCORE_COMMENT]);
    ingest_string(to, "configId", last[LF__TAG_SCORE_CONFIG_ID]);
    ingest_environment(to);
    if (last[LF__TAG_METADATA] != NULL)
        ingest_metadata(to, LF__TAG_METADATA, NULL);
    ingest_end_score(to, event_ns, list_ns);
}

/* ---- The wire --------------------------------------------------------------------------------------------------- */

static void ingest_read(ingest *to, const lf__record *record, const lf__wire_context *context)
{
    *to = (ingest){.context = context, .scratch = context->scratch};
    /* The view of a score has its own fields only: a user or a session of its trace is none of the score. */
    lf__record_view(&to->view, record, record->kind == LF__RECORD_SCORE ? NULL : context->trace);
    to->start_ns = lf__wire_wall_ns(record->start_ns, (record->flags & LF__FLAG_WALL_START) != 0, context->wall_offset_ns);
    to->end_ns = lf__wire_wall_ns(record->end_ns, (record->flags & LF__FLAG_WALL_END) != 0, context->wall_offset_ns);
    if (to->end_ns < to->start_ns)
        to->end_ns = to->start_ns;
}

static bool ingest_item(lf__buf *out, const lf__record *record, const lf__wire_context *context)
{
    if (out->failed)
        return false;
    ingest to;
    lf__buf_clear(context->scratch);
    ingest_read(&to, record, context);
    to.out = out;
    to.start = out->length;
    if (record->kind == LF__RECORD_SCORE)
        ingest_score(&to);
    else if (record->kind == LF__RECORD_TRACE)
        ingest_trace(&to, false);
    else
        ingest_observation(&to);
    if (to.failed || out->failed || to.scratch->failed) {
        lf__buf_rewind(out, to.start);
        return false;
    }
    ingest_remember(&to);
    lf__json_mend(out->data + to.start, out->length - to.start); /* JSON of the user stands in it as it is */
    return true;
}

/* The sender's metadata comes first, since only the head knows the configuration. */
static bool ingest_head(lf__buf *out, const lf__config *config, size_t items_size)
{
    (void)items_size;
    if (out->failed)
        return false;
    size_t start = out->length;
    LF__BUF_ADD(out, "{\"metadata\":{\"sdk_name\":\"c\",\"sdk_version\":\"" LANGFUSE_VERSION "\"");
    ingest_option(out, "public_key", config->public_key);
    LF__BUF_ADD(out, "},\"batch\":[");
    if (!out->failed)
        return true;
    lf__buf_rewind(out, start);
    return false;
}

static bool ingest_tail(lf__buf *out)
{
    return LF__BUF_ADD(out, "]}");
}

const lf__wire lf__wire_ingestion = {
    .content_type = "application/json",
    .separator = ",",
    .noun = "record",
    .not_found = "check LANGFUSE_BASE_URL; there is no Langfuse server",
    .items_max = INGEST_ITEMS_MAX,
    .answer_max = INGEST_ANSWER_MAX,
    .takes_all = true,
    .judges_events = true,
    .item = ingest_item,
    .head = ingest_head,
    .tail = ingest_tail,
};
