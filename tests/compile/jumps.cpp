/* longjmp past C++ scopes: OBSERVE_CAUGHT ends what was left, also where the compiler inlines what fails into what catches. */
#include <csetjmp>

#include "observe.h"

#include <cstring>

static std::jmp_buf target;

static int parse(const char *text)
{
    OBSERVE(text);
    if (text[0] == '\0')
        std::longjmp(target, 1);
    OBSERVE_RETURN(text[0]);
}

static bool is_current(const char *id)
{
    char now[LF_OBSERVATION_ID_SIZE];
    return lf_current_observation_id(now) ? std::strcmp(now, id) == 0 : id[0] == '\0';
}

/* With a scope of its own. */
static int parse_or_zero(const char *text)
{
    OBSERVE(text);
    char id[LF_OBSERVATION_ID_SIZE];
    lf_current_observation_id(id);
    if (setjmp(target) != 0) {
        OBSERVE_CAUGHT();
        OBSERVE_ERROR("cannot parse");
        return is_current(id) ? 0 : -1;
    }
    OBSERVE_RETURN(parse(text));
}

/* With one only further up. */
static int parse_quietly(const char *text, const char *id)
{
    if (setjmp(target) != 0) {
        OBSERVE_CAUGHT();
        return is_current(id) ? 0 : -1;
    }
    return parse(text);
}

/* In a lambda, and through OBSERVE_CALL. */
static int call_or_zero(const char *text)
{
    OBSERVE(text);
    char id[LF_OBSERVATION_ID_SIZE];
    lf_current_observation_id(id);
    const auto attempt = [&] {
        OBSERVE_TOOL(text);
        return OBSERVE_CALL(parse, text);
    };
    if (setjmp(target) != 0) {
        OBSERVE_CAUGHT();
        return is_current(id) ? 0 : -1;
    }
    return attempt();
}

static int again_and_again(int depth)
{
    OBSERVE(depth);
    char id[LF_OBSERVATION_ID_SIZE];
    lf_current_observation_id(id);
    if (depth == 0)
        return parse("");
    std::jmp_buf outer;
    std::memcpy(&outer, &target, sizeof outer);
    volatile bool caught = false;
    if (setjmp(target) == 0) {
        again_and_again(depth - 1);
    } else {
        OBSERVE_CAUGHT();
        caught = true;
    }
    std::memcpy(&target, &outer, sizeof outer);
    if (!is_current(id))
        return -1;
    if (caught && depth < 3)
        std::longjmp(target, 1);
    return depth;
}

int main()
{
    for (int i = 0; i < 3; i++) {
        if (parse_or_zero("") != 0 || parse_or_zero("a") != 'a')
            return 1;
        if (parse_quietly("", "") != 0 || parse_quietly("a", "") != 'a')
            return 2;
        OBSERVE_WITH((.name = "around"));
        char id[LF_OBSERVATION_ID_SIZE];
        lf_current_observation_id(id);
        if (parse_quietly("", id) != 0 || parse_quietly("a", id) != 'a')
            return 3;
        if (call_or_zero("") != 0 || call_or_zero("a") != 'a')
            return 4;
        if (again_and_again(4) != 4)
            return 5;
    }
    lf_stats stats;
    lf_get_stats(&stats);
    return stats.open == 0 && stats.misused == 0 ? 0 : 6;
}
