/* Any URL and any body of a request: a line for the URL, then the body. What is read of them is JSON, has no long base64 in it, and no
 * secret of the URL. The body is JSON of a reply as well, whose media are replaced.
 */
#define _GNU_SOURCE
#include "../../src/base/json.h"
#include "../../src/model/media.h"
#include "../../src/model/request.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_base64(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("+/-_=", c) != NULL);
}

/* No run of more than a kilobyte that mixes both cases and digits. Names of members may have one. */
static void check_string(const char *at, const char *end)
{
    size_t run = 0;
    unsigned kinds = 0;
    for (; at < end; at++) {
        if (!is_base64(*at)) {
            if (*at == '\\' && end - at > 1)
                at++; /* what is escaped is of no run */
            run = kinds = 0;
            continue;
        }
        run++;
        kinds |= *at >= 'a' && *at <= 'z' ? 1 : *at >= 'A' && *at <= 'Z' ? 2 : *at >= '0' && *at <= '9' ? 4 : 0;
        CHECK(run <= 1030 || kinds != 7);
    }
}

static void check_json(const char *text, size_t size)
{
    CHECK(lf__json_valid(text, size));
    for (const char *at = text, *end = text + size; at < end; at++) {
        if (*at != '"')
            continue;
        const char *behind = lf__json_value_end(at, end), *next = behind;
        while (next < end && strchr(" \t\r\n", *next) != NULL)
            next++;
        if (next == end || *next != ':')
            check_string(at + 1, behind - 1);
        at = behind - 1;
    }
}

static void check_media(lf__text json)
{
    lf__buf once, twice;
    lf__buf_init(&once, SIZE_MAX / 2);
    lf__buf_init(&twice, SIZE_MAX / 2);
    if (lf__json_valid(json.at, json.size)) {
        CHECK(lf__media_add_json(&once, json, "image/png"));
        check_json(once.data, once.length);
        /* Where all is replaced, nothing is left to do. */
        CHECK(lf__media_add_json(&twice, lf__buf_text(&once), "image/png"));
        CHECK(lf__text_equals(lf__buf_text(&once), lf__buf_text(&twice)));
    } else {
        (void)lf__media_add_json(&once, json, NULL); /* reads within its bounds */
    }
    lf__buf_done(&once);
    lf__buf_done(&twice);
}

/* The metadata as an object. */
static void check_metadata(const lf__buf *metadata)
{
    lf__buf whole;
    lf__buf_init(&whole, SIZE_MAX / 2);
    lf__buf_add_char(&whole, '{');
    lf__buf_add(&whole, metadata->data, metadata->length);
    CHECK(lf__buf_add_char(&whole, '}'));
    check_json(whole.data, whole.length);
    lf__buf_done(&whole);
}

static void check_url(lf__text url)
{
    lf__buf out;
    lf__buf_init(&out, SIZE_MAX / 2);
    CHECK(lf__api_add_url(&out, url) && lf__utf8_valid_prefix(out.data, out.length) == out.length);
    const char *query = memchr(out.data == NULL ? "" : out.data, '?', out.length);
    if (query != NULL) {
        size_t size = out.length - (size_t)(query - out.data);
        for (lf__text rest = {query + 1, size - 1}; rest.at != NULL;) {
            lf__text member = lf__text_take(&rest, '&');
            CHECK(lf__text_begins(member, "api-version=") || lf__text_begins(member, "alt=") || lf__text_begins(member, "beta="));
            CHECK(memrchr(member.at, '=', member.size) == memchr(member.at, '=', member.size));
        }
    }
    CHECK(lf__api_add_url_model(&out, url));
    lf__buf_done(&out);
}

static void check_request(lf__api api, lf__text url, lf__text body, size_t most)
{
    lf__request request;
    CHECK(lf__request_read(&request, api, url, body, most));
    CHECK(request.input.length <= most && request.parameters.length <= most && request.metadata.length <= most);
    CHECK(lf__utf8_valid_prefix(request.model.data, request.model.length) == request.model.length);
    CHECK(memchr(request.media_type, '\0', sizeof request.media_type) != NULL);
    check_metadata(&request.metadata);
    if (request.input.length > 0)
        check_json(request.input.data, request.input.length);
    if (request.parameters.length > 0)
        check_json(request.parameters.data, request.parameters.length);
    lf__request_done(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size); /* for its own exact bounds */
    CHECK(copy != NULL || size == 0);
    if (size > 0)
        memcpy(copy, data, size);
    lf__text body = {copy, size}, url = lf__text_take(&body, '\n');
    check_url(url);
    check_media(body);
    lf__api api = lf__api_of(url, body);
    CHECK(api <= LF__API_OTHER && lf__api_name(api) != NULL);
    check_request(api, url, body, 1 << 20);
    /* Each API with any body, and little room. */
    if (size > 0) {
        check_request((lf__api)(data[0] % (LF__API_OTHER + 1)), url, body, 1 << 20);
        check_request((lf__api)(data[size - 1] % (LF__API_OTHER + 1)), url, body, data[size / 2]);
    }
    free(copy);
    return 0;
}
