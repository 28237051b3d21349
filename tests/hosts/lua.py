"""The interpreter of Lua 5.4, with a C module of ours."""
import os

import common
from common import check, check_equal, check_stats
from traces import Trees, check_lines, failed, node

TESTS, test = common.registry()
Host = common.Host
HERE = os.path.dirname(os.path.abspath(__file__))


def fails(n):
    return n % 3 == 0


def risky(n, remark="LEFT", *children):
    return node("risky", {"n": n}, None, remark, *children) if fails(n) else node("risky", {"n": n}, 2 * n, "", *children)


def note(n):
    return node("note", {"n": n})


def lines_of(host, case, count, **more):
    path = host.trace_file()
    folder = os.path.dirname(host.product(""))
    out = common.run(["lua5.4", os.path.join(HERE, "cases.lua"), case, str(count)], LUA_CPATH=folder + "/?.so",
                     LANGFUSE_EXPORTER="file:" + path)
    trees = Trees(path, **more)
    check_stats(out, len(trees.spans))
    return trees.lines()


def observe(host, case, count, expected, **more):
    """Run a case; expected(n) are the lines of its traces. What a case leaves at its end is ended by one call more."""
    check_lines(lines_of(host, case, count, **more),
                [line for n in range(1, count + 1) for line in expected(n)] + [risky(1)])


@test
def what_pcall_catches_is_marked_by_the_next_call(host):
    observe(host, "plain_pcall", 5000, lambda n: [risky(n)])


@test
def scopes_at_any_depth_are_left_at_once(host):
    def deep(n):
        return node("descend_to", {"n": n}, None, "LEFT", *([deep(n - 1)] if n else []))
    observe(host, "deep", 1000, lambda n: [deep(n % 5)])


@test
def a_pcall_that_says_where_it_lands_keeps_apart_what_follows(host):
    observe(host, "pcall_of_the_module", 3000, lambda n: [risky(n), note(n)])


@test
def lua_itself_can_say_where_it_lands(host):
    observe(host, "caught", 3000, lambda n: [risky(n), note(n)])


@test
def what_is_caught_within_a_scope_leaves_the_scope_alone(host):
    def expected(n):
        children = [risky(n), note(n)] + [risky(n)] * (n % 2 == 0)
        if n % 6 == 0:
            message = f"no {n}"
            return [node("around", {"n": n}, message, failed(message), *children)]
        return [node("around", {"n": n}, "done", "", *children)]
    observe(host, "around", 3000, expected)


@test
def each_level_that_catches_may_fail_again(host):
    def level(n, depth):
        child = risky(n) if depth == 0 else level(n, depth - 1)
        if not fails(n):
            return node("levels", {"n": n, "depth": depth}, 2 * n, "", child)
        if depth < n % 4:
            return node("levels", {"n": n, "depth": depth}, None, "LEFT", child)
        return node("levels", {"n": n, "depth": depth}, -n, "", child)
    observe(host, "levels", 3000, lambda n: [level(n, 3)])


@test
def attempts_stand_beside_each_other(host):
    def expected(n):
        attempts = [risky(n), risky(n + 1)] if fails(n) else [risky(n)]
        return [node("retry", {"n": n}, 2 * (n + fails(n)), "", *attempts)]
    observe(host, "retry", 3000, expected)


@test
def a_function_speaks_of_itself_after_a_failure_below(host):
    observe(host, "give_up", 3000, lambda n: [node("give_up", {"n": n}, 1, failed("gave up") * fails(n), risky(n))])


@test
def a_message_handler_speaks_of_what_fails(host):
    observe(host, "handler", 1000, lambda n: [risky(n, "LEFT " + failed(f"no {n}"))])


@test
def what_closes_a_variable_still_runs_within_what_failed(host):
    observe(host, "closing", 1000, lambda n: [risky(n, "LEFT", note(n))] if fails(n) else [risky(n), note(n)])


@test
def a_finalizer_that_fails_is_a_child_like_any_other(host):
    observe(host, "finalizers", 1000, lambda n: [node("around", {"n": n}, "done", "", risky(n), note(n))])


@test
def hundreds_of_scopes_are_left_when_lua_has_no_stack_left(host):
    lines = lines_of(host, "overflow", 100)
    check_equal(lines.pop(), risky(1), "last trace")
    for line in lines:
        depth = line.count("LEFT")
        check(depth > 50, f"only {depth} scopes")
        check_equal(line, " [".join([node("descend_to", {"n": 0}, None, "LEFT")] * depth) + "]" * (depth - 1), "line")


@test
def coroutines_that_take_turns_wait_in_handles(host):
    def expected(_):
        lines = []
        for i in range(1, 11):
            waits = [node("wait", {"n": i}, turn) for turn in (2, 3, 4)]
            lines += [node("step", {"n": turn}, i, "", waits[turn - 1]) for turn in (1, 2, 3)]
            if fails(i):
                lines.append(node("step", {"n": 4}, f"no {i}", failed(f"no {i}"), risky(i)))
            else:
                lines.append(node("step", {"n": 4}, 2 * i, "", risky(i)))
        return lines
    observe(host, "turns", 100, expected, outliving=("wait",))


@test
def a_scope_left_by_a_yield_is_marked_where_the_coroutine_was_resumed(host):
    observe(host, "left_by_a_yield", 1000,
            lambda n: [node("step", {"n": n}, n, "", node("leave", {"n": n}, None, "LEFT")), note(-n),
                       node("step", {"n": n}, None, "", note(n))])


@test
def a_yield_within_a_pcall_is_no_failure(host):
    observe(host, "yield_across_pcall", 1000, lambda n: [note(n), risky(n), note(-n)])
