"""What the tests of langfuse-local in Python share."""
import os
import sys
import traceback

SERVER = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/langfuse-local")
LIMIT = 120 # seconds that no step needs, also under valgrind
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def check(condition, why):
    if not condition:
        raise AssertionError(why)


def equal(got, wanted, what):
    check(got == wanted, f"{what}: {got!r}, not {wanted!r}")


def run_tests(name, *arguments):
    """Prints a line a failure, and `NAME: N passed, N failed`. Returns the exit status."""
    failed = 0
    for function in TESTS:
        try:
            function(*arguments)
        except Exception: # pylint: disable=broad-except
            failed += 1
            print(f"FAILED: {function.__name__}\n{traceback.format_exc(limit=-1)}", file=sys.stderr)
    print(f"{name}: {len(TESTS) - failed} passed, {failed} failed")
    return 1 if failed else 0
