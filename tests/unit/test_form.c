#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/model/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lf__form form;

static lf__form_part *add(const char *name, const char *text)
{
    lf__form_part *part = lf__form_add(&form);
    assert_non_null(part);
    lf__form_set(&part->name, name);
    if (text != NULL)
        lf__form_set_data(part, text, strlen(text));
    return part;
}

static void expect(const char *expected)
{
    lf__buf out;
    lf__buf_init(&out, 1 << 20);
    assert_true(lf__form_json(&out, &form) && lf__buf_add_char(&out, '\0'));
    assert_string_equal(out.data, expected);
    lf__buf_done(&out);
    lf__form_done(&form);
}

static void fields_are_texts_and_files_are_named(void **state)
{
    (void)state;
    add("model", "whisper-1");
    lf__form_part *file = add("file", NULL);
    lf__form_set_file(file, "/tmp/voice/a.mp3");
    lf__form_set(&file->type, "audio/mpeg");
    file->has_size = true;
    file->size = 1234;
    add("language", "d\"e");
    expect("{\"model\":\"whisper-1\",\"file\":{\"name\":\"a.mp3\",\"type\":\"audio/mpeg\",\"size\":1234},\"language\":\"d\\\"e\"}");
}

static void data_with_a_file_name_is_a_file(void **state)
{
    (void)state;
    lf__form_set_file(add("image", "\x89PNG"), "in.png");
    expect("{\"image\":{\"name\":\"in.png\",\"size\":4}}");
}

static void parts_of_one_name_are_a_list(void **state)
{
    (void)state;
    add("image[]", "a");
    add("model", "m");
    add("image[]", "b");
    expect("{\"image[]\":[\"a\",\"b\"],\"model\":\"m\"}");
}

static void parts_without_a_name_or_a_text(void **state)
{
    (void)state;
    assert_non_null(lf__form_add(&form));
    add("empty", "");
    add("unknown", NULL);
    expect("{\"empty\":\"\",\"unknown\":null}");
}

static void a_long_field_is_left_out_and_the_number_of_parts_ends(void **state)
{
    (void)state;
    char *text = calloc(1, LF__FORM_TEXT_MAX + 2);
    assert_non_null(text);
    memset(text, 'a', LF__FORM_TEXT_MAX + 1);
    add("long", text);
    free(text);
    expect("{\"long\":null}");
    for (int i = 0; i < LF__FORM_PARTS; i++)
        assert_non_null(lf__form_add(&form));
    assert_null(lf__form_add(&form));
    expect("{}");
}

static void what_was_set_last_counts(void **state)
{
    (void)state;
    lf__form_part *part = add("model", "a");
    lf__form_set_data(part, "b", 1);
    lf__form_set(&part->name, "other");
    expect("{\"other\":\"b\"}");
    part = add("model", "a");
    lf__form_set_data(part, NULL, 0);
    expect("{\"model\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_texts_and_files_are_named),
        cmocka_unit_test(data_with_a_file_name_is_a_file),
        cmocka_unit_test(parts_of_one_name_are_a_list),
        cmocka_unit_test(parts_without_a_name_or_a_text),
        cmocka_unit_test(a_long_field_is_left_out_and_the_number_of_parts_ends),
        cmocka_unit_test(what_was_set_last_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
