/* For which Host headers a server answers. */
#include "harness.h"

#include "../../server/host.h"

#define LAN ((host_rules){.listening = "192.168.1.5", .allowed = (const char *const[]){"box.lan", "[fe80::1]"}, .allowed_count = 2})

static void assert_fits(const host_rules *rules, const char *given, bool expected)
{
    if (host_fits(rules, text_of(given)) != expected)
        fail_msg("%s %s", given, expected ? "does not fit" : "fits");
}

static void on_loopback_only_its_own_names_fit(void **state)
{
    static const char *const own[] = {"127.0.0.1",  "127.0.0.1:3300", "127.0.0.1:80", "localhost", "localhost:3300", "LocalHost",
                                      "localhost.", "[::1]",          "[::1]:3300",   "127.0.0.2", "LOCALHOST.:1",   " localhost "};
    static const char *const others[] = {"evil.example",
                                         "evil.example:3300",
                                         "localhost.evil.example",
                                         "127.0.0.1.evil.example",
                                         "localhost..",
                                         "",
                                         ":3300",
                                         "::1",
                                         "[127.0.0.1]",
                                         "[localhost]",
                                         "192.168.1.5",
                                         "0.0.0.0",
                                         "localhost:x",
                                         "localhost:",
                                         "localhost:99999",
                                         "localhost:1:2",
                                         "127.1",
                                         "2130706433",
                                         "[::1",
                                         "[::1]x",
                                         "user@localhost",
                                         "localhost/",
                                         "[::ffff:127.0.0.1]",
                                         "localhost:-1"};
    const host_rules rules = {.listening = "127.0.0.1"};
    (void)state;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        assert_fits(&rules, own[i], true);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_fits(&rules, others[i], false);
}

static void names_that_the_user_gave_fit(void **state)
{
    (void)state;
    assert_fits(&LAN, "192.168.1.5:3300", true);
    assert_fits(&LAN, "BOX.lan:3300", true);
    assert_fits(&LAN, "box.lan.", true);
    assert_fits(&LAN, "[FE80:0::1]", true);
    assert_fits(&LAN, "192.168.1.6", false);
    assert_fits(&LAN, "box", false);
    assert_fits(&LAN, "a.box.lan", false);
}

/* Names are what a page of elsewhere has in its hands, addresses are not. */
static void on_all_addresses_every_address_fits_and_no_other_name(void **state)
{
    const host_rules rules = {.listening = "0.0.0.0", .any_address = true};
    (void)state;
    assert_fits(&rules, "10.1.2.3:3300", true);
    assert_fits(&rules, "[2001:db8::1]:3300", true);
    assert_fits(&rules, "evil.example", false);
    assert_true(host_is_loopback(TEXT("127.0.0.1")) && host_is_loopback(TEXT("::1")) && host_is_loopback(TEXT("[::1]")));
    assert_false(host_is_loopback(TEXT("0.0.0.0")) || host_is_loopback(TEXT("10.0.0.1")) || host_is_loopback(TEXT("::")));
}

static void a_name_that_is_too_long_fits_nowhere(void **state)
{
    char name[600];
    const host_rules rules = {.listening = name};
    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_fits(&rules, name, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_loopback_only_its_own_names_fit),
        cmocka_unit_test(names_that_the_user_gave_fit),
        cmocka_unit_test(on_all_addresses_every_address_fits_and_no_other_name),
        cmocka_unit_test(a_name_that_is_too_long_fits_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
