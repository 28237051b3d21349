#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/base/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_digest(const void *data, size_t size, const char *expected)
{
    uint8_t digest[32];
    char hex[65];
    lf__sha256(data, size, digest);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    hex[strlen(expected)] = '\0';
    assert_string_equal(hex, expected);
}

static void agrees_with_the_vectors_of_fips_180_4(void **state)
{
    (void)state;
    assert_digest(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    assert_digest(million, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void pads_rightly_around_the_end_of_a_block(void **state)
{
    (void)state;
    char bytes[119];
    memset(bytes, 'a', sizeof bytes);
    assert_digest(bytes, 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
    assert_digest(bytes, 56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
    assert_digest(bytes, 63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34");
    assert_digest(bytes, 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    assert_digest(bytes, 65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0");
    assert_digest(bytes, 119, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb");
}

static void comes_to_the_same_however_the_bytes_are_cut(void **state)
{
    (void)state;
    uint8_t whole[32], pieces[32];
    char bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    lf__sha256(bytes, sizeof bytes, whole);
    for (size_t piece = 1; piece <= sizeof bytes; piece++) {
        lf__sha256_sum sum;
        lf__sha256_init(&sum);
        for (size_t at = 0; at < sizeof bytes; at += piece)
            lf__sha256_add(&sum, bytes + at, piece < sizeof bytes - at ? piece : sizeof bytes - at);
        lf__sha256_add(&sum, NULL, 0);
        lf__sha256_finish(&sum, pieces);
        assert_memory_equal(whole, pieces, sizeof whole);
    }
}

static void derives_the_trace_ids_that_other_sdks_derive(void **state)
{
    (void)state;
    assert_digest("req_12345", 9, "6cec55478a541a9eb2b3bfd6c8ba5670");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_vectors_of_fips_180_4),
        cmocka_unit_test(pads_rightly_around_the_end_of_a_block),
        cmocka_unit_test(comes_to_the_same_however_the_bytes_are_cut),
        cmocka_unit_test(derives_the_trace_ids_that_other_sdks_derive),
    };
    return cmocka_run_group_tests_name("sha256", tests, NULL, NULL);
}
