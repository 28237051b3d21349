/* Any bytes: what the writers make of them is valid, and the readers stay inside. */
#include "../../src/base/json.h"
#include "../../src/base/real.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_number(const uint8_t *data, size_t size, lf__buf *out)
{
    double value = 0, back;
    memcpy(&value, data, size < sizeof value ? size : sizeof value);
    lf__buf_clear(out);
    CHECK(lf__json_double(out, lf__real_bits(value)) && lf__json_valid(out->data, out->length));
    lf__buf_add_char(out, '\0');
    back = strtod(out->data, NULL);
    CHECK(out->data[0] == '"' || memcmp(&back, &value, sizeof value) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    lf__buf out, read;
    lf__buf_init(&out, SIZE_MAX / 2);
    lf__buf_init(&read, SIZE_MAX / 2);

    CHECK(lf__utf8_add(&read, text, size));
    CHECK(lf__utf8_size(text, size) == read.length);
    CHECK(lf__utf8_valid_prefix(read.data, read.length) == read.length);
    CHECK(lf__utf8_floor(text, size) <= size && size - lf__utf8_floor(text, size) < 4);

    CHECK(lf__json_string(&out, text, size) && lf__json_valid(out.data, out.length));
    size_t repaired = read.length;
    CHECK(lf__json_unescape(&read, out.data + 1, out.length - 2));
    CHECK(read.length == 2 * repaired && (repaired == 0 || memcmp(read.data, read.data + repaired, repaired) == 0));

    bool valid = lf__json_valid(text, size);
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(text, size, &at, &member);) {
        lf__buf_clear(&out);
        CHECK(lf__json_unescape(&out, member.key, member.key_size));
        CHECK(lf__utf8_valid_prefix(out.data, out.length) == out.length);
        CHECK(!valid || (out.length <= member.key_size && lf__json_valid(member.value, member.value_size)));
    }
    lf__text item;
    for (size_t at = 0; lf__json_next_item(text, size, &at, &item);)
        CHECK(item.size > 0 && item.at + item.size <= text + size && (!valid || lf__json_valid(item.at, item.size)));
    check_number(data, size, &out);
    lf__buf_done(&out);
    lf__buf_done(&read);
    return 0;
}
