/* Any bytes as the body of an answer: what is read of it stays inside, what is told of it is one line of UTF-8, and only events of
 * the batch get a verdict.
 */
#define _GNU_SOURCE
#include "../../src/base/answer.h"
#include "../../src/base/json.h"
#include "../../src/deliver/verdict.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const char *line, size_t most)
{
    size_t size = strlen(line);
    CHECK(size <= most && lf__utf8_valid_prefix(line, size) == size);
    for (size_t i = 0; i < size; i++)
        CHECK((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
}

static bool stands_in(const char *text, const lf__http_answer *answer)
{
    return memmem(answer->body, answer->body_size, text, strlen(text)) != NULL;
}

/* A batch of two items, the second one of two events, whose content looks like events. */
static void check_verdicts(const lf__http_answer *answer)
{
    static const char first[] = "{\"id\":\"a\",\"type\":\"x\",\"body\":[{\"id\":\"d\",\"type\":\"}],{\\\"\"}]}";
    static const char second[] = "{\"id\":\"b\",\"type\":\"y\"},{\"id\":\"c\",\"type\":\"z\",\"body\":{}}";
    static lf__config config; /* its lines go nowhere */
    config.logger.least = LF__LOG_QUIET;
    lf__tell tell = {.config = &config, .target = "server", .noun = "record"};
    unsigned char verdicts[2] = {0};
    uint32_t ends[2] = {sizeof first - 1, sizeof first + sizeof second - 1};
    lf__buf items;
    lf__buf_init(&items, 1 << 10);
    CHECK(lf__buf_add_text(&items, first) && lf__buf_add_char(&items, ',') && lf__buf_add_text(&items, second));
    lf__verdict_read(verdicts, &items, ends, 2, answer, &tell);
    CHECK(verdicts[0] == LF__VERDICT_TAKEN || stands_in("\"a\"", answer));
    CHECK(verdicts[1] == LF__VERDICT_TAKEN || stands_in("\"b\"", answer) || stands_in("\"c\"", answer));
    lf__buf_done(&items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const lf__http_answer answer = {.status = 207, .body = (const char *)data, .body_size = size};
    lf__answer_partial partial;
    lf__answer_read_partial(&partial, answer.body, size);
    check_line(partial.message, LF__ANSWER_TEXT);
    lf__answer_read_rejected(&partial, answer.body, size);
    check_line(partial.message, LF__ANSWER_TEXT);
    unsigned major, minor;
    (void)lf__answer_read_version(answer.body, size, &major, &minor);
    char text[20];
    lf__answer_text(text, sizeof text, answer.body, size);
    check_line(text, sizeof text - 1);
    (void)lf__answer_is_page(answer.body, size);
    check_verdicts(&answer);
    return 0;
}
