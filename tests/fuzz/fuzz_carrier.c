/* Any bytes as the headers of a request, and any values as a context's attributes: what comes in stays within its bounds,
 * what goes out are headers without anything that could end them early, and what went out once comes in and goes out the
 * same. The first byte chooses the entry point, '0' or '1' and so on; NULs separate the parts behind it.
 */
#include "../../src/observe/capture.h"
#include "../../src/observe/carrier.h"
#include "../../src/base/json.h"
#include "../../src/observe/propagate.h"
#include "../../src/observe/trace_context.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS = 3, PARTS_MAX = 8 };

static const char *const header_names[HEADERS] = {"traceparent", "tracestate", "baggage"};

/* Headers of a request; NULL for one that is not there. `asked` counts. */
typedef struct headers {
    char *value[HEADERS];
    int asked[HEADERS];
} headers;

static size_t header_index(const char *name)
{
    for (size_t i = 0; i < HEADERS; i++)
        if (strcmp(name, header_names[i]) == 0)
            return i;
    abort();
}

static const char *get_header(void *owner, const char *name)
{
    headers *h = owner;
    size_t i = header_index(name);
    h->asked[i]++;
    return h->value[i];
}

static void set_header(void *owner, const char *name, const char *value)
{
    headers *h = owner;
    size_t i = header_index(name), size = strlen(value) + 1;
    CHECK(h->value[i] == NULL && size > 1);
    h->value[i] = malloc(size);
    CHECK(h->value[i] != NULL);
    memcpy(h->value[i], value, size);
}

static void free_headers(headers *h)
{
    for (size_t i = 0; i < HEADERS; i++)
        free(h->value[i]);
}

static void check_headers(const headers *h, int count)
{
    for (size_t i = 0; i < HEADERS; i++) {
        count -= h->value[i] != NULL;
        for (const char *at = h->value[i]; at != NULL && *at != '\0'; at++)
            CHECK((*at >= ' ' && *at <= '~') || *at == '\t');
    }
    CHECK(count == 0);
    lf__traceparent parent;
    CHECK(h->value[0] == NULL ||
          (strlen(h->value[0]) == LF__TRACEPARENT_SIZE - 1 && lf__traceparent_parse(h->value[0], strlen(h->value[0]), &parent)));
    CHECK(h->value[1] == NULL || (h->value[0] != NULL && lf__tracestate_valid(h->value[1], strlen(h->value[1]))));
    CHECK(h->value[2] == NULL || strlen(h->value[2]) <= LF__BAGGAGE_MAX);
}

static void check_context(const lf_context *context)
{
    const unsigned marks = LF__MARK_PROPAGATED | LF__MARK_BAGGAGE;
    size_t walked = 0;
    CHECK(context->size <= LF__CONTEXT_MAX && context->client == 0);
    for (const lf__field *field = NULL; (field = lf__fields_next(context->fields, context->size, field)) != NULL;) {
        walked += sizeof *field + lf__align8(field->length);
        CHECK(field->tag > 0 && field->tag < LF__TAG_COUNT && field->index == marks && lf__propagated_valid(field));
        if (field->kind != LF_KIND_INT)
            CHECK(lf__utf8_valid_prefix(lf__field_payload(field), field->length) == field->length);
    }
    CHECK(walked == context->size);
    bool in_trace = (context->flags & LF__FLAG_NO_TRACE) == 0;
    CHECK(in_trace == ((context->flags & LF__FLAG_REMOTE_PARENT) != 0));
    CHECK(in_trace || (context->flags == LF__FLAG_NO_TRACE && walked > 0));
}

static lf_context *extract(headers *h)
{
    lf_context *context = lf_extract(get_header, h);
    for (size_t i = 0; i < HEADERS; i++)
        CHECK(h->asked[i] == 1);
    if (context != NULL)
        check_context(context);
    return context;
}

/* What a context says is said once more by whoever reads it. */
static void check_out(const lf_context *context)
{
    headers first = {{NULL}, {0}}, second = {{NULL}, {0}};
    check_headers(&first, lf__carrier_inject(context, set_header, &first));
    lf_context *read = extract(&first);
    check_headers(&second, lf__carrier_inject(read, set_header, &second));
    if (read == NULL) {
        CHECK(first.value[0] == NULL && (first.value[2] == NULL || strstr(first.value[2], "langfuse_user_id=") == NULL));
    } else {
        for (size_t i = 0; i < HEADERS; i++)
            CHECK(first.value[i] == NULL ? second.value[i] == NULL
                                         : second.value[i] != NULL && strcmp(first.value[i], second.value[i]) == 0);
        CHECK(memcmp(read->trace_id, context->trace_id, sizeof read->trace_id) == 0 || first.value[0] == NULL);
        CHECK(memcmp(read->id, context->id, sizeof read->id) == 0 || first.value[0] == NULL);
    }
    lf_context_free(read);
    free_headers(&first);
    free_headers(&second);
}

/* traceparent NUL tracestate NUL baggage; a part that is missing is a header that is missing. */
static void check_in(const char *const *parts, const size_t *sizes, size_t count)
{
    headers h = {{NULL}, {0}};
    for (size_t i = 0; i < HEADERS && i < count; i++) {
        h.value[i] = calloc(1, sizes[i] + 1); /* for its own exact bounds */
        CHECK(h.value[i] != NULL);
        memcpy(h.value[i], parts[i], sizes[i]);
    }
    lf_context *context = extract(&h);
    free_headers(&h); /* the context keeps nothing of them */
    if (context != NULL)
        check_out(context);
    lf_context_free(context);
}

static void add_field(lf_context *context, lf__tag tag, lf_kind kind, const void *payload, size_t size)
{
    lf__field *field = (lf__field *)(void *)((char *)context->fields + context->size);
    lf__capture_head((uint8_t *)field, tag, kind, LF__MARK_PROPAGATED | LF__MARK_BAGGAGE, size);
    if (size > 0)
        memcpy(field + 1, payload, size);
    context->size += (uint32_t)(sizeof *field + lf__align8(size));
}

/* flags NUL user id NUL tags NUL metadata NUL tags NUL metadata: as OBSERVE_ATTRIBUTES writes them. */
static void check_attributes(const char *const *parts, const size_t *sizes, size_t count)
{
    static const struct {
        lf__tag tag;
        lf_kind kind;
    } fields[PARTS_MAX] = {
        {LF__TAG_COUNT, LF_KIND_UNSET},         {LF__TAG_USER_ID, LF_KIND_STRING},     {LF__TAG_TRACE_TAGS, LF_KIND_JSON},
        {LF__TAG_TRACE_METADATA, LF_KIND_JSON}, {LF__TAG_TRACE_TAGS, LF_KIND_JSON},    {LF__TAG_TRACE_METADATA, LF_KIND_JSON},
        {LF__TAG_PROMPT_NAME, LF_KIND_STRING},  {LF__TAG_ENVIRONMENT, LF_KIND_STRING},
    };
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += sizeof(lf__field) + lf__align8(sizes[i]);
    lf_context *context = calloc(1, sizeof *context + size);
    CHECK(context != NULL);
    memset(context->trace_id, 0x0a, sizeof context->trace_id);
    memset(context->id, 0x0b, sizeof context->id);
    for (size_t i = 0; i < sizes[0]; i++)
        context->flags |= (uint16_t)(parts[0][i] == 'u'   ? LF__FLAG_UNSAMPLED
                                     : parts[0][i] == 'n' ? LF__FLAG_NO_TRACE
                                     : parts[0][i] == 'r' ? LF__FLAG_APP_ROOT
                                                          : 0);
    for (size_t i = 1; i < count; i++)
        add_field(context, fields[i].tag, fields[i].kind, parts[i], sizes[i]);
    check_out(context);
    free(context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *parts[PARTS_MAX], *at = (const char *)data + 1, *end = (const char *)data + size;
    size_t sizes[PARTS_MAX], count = 0;
    while (count < PARTS_MAX && at <= end) {
        const char *stop = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
        stop = stop == NULL ? end : stop;
        parts[count] = at;
        sizes[count++] = (size_t)(stop - at);
        at = stop + 1;
    }
    if ((data[0] & 1) == 0)
        check_in(parts, sizes, count);
    else
        check_attributes(parts, sizes, count);
    return 0;
}
