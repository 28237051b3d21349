"""Programs that we are a guest in: a PostgreSQL server, Lua, libpng, libcurl. What each call of an observed function must
leave behind is known, and compared trace by trace.

Environment: BUILD (products), HOSTS_ONLY (run only tests whose name contains it), HOSTS_VERBOSE. Prints a line a failure and
`hosts: N passed, M failed`.
"""
import os
import shutil
import sys
import tempfile
import time

import curl
import lua
import png
import postgres

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))


def run_all(module, host, chosen):
    """How many failed."""
    failed = 0
    for function in chosen:
        begin = time.time()
        try:
            function(host)
        except Exception as error:  # noqa: BLE001: a test that breaks is a test that failed
            failed += 1
            print(f"hosts: {module.__name__}: {function.__name__}: {error}", flush=True)
        if os.environ.get("HOSTS_VERBOSE"):
            print(f"hosts: {function.__name__} {time.time() - begin:.1f} s", flush=True)
    return failed


def run_module(module, work, chosen):
    try:
        with module.Host(BUILD, os.path.join(work, module.__name__)) as host:
            return run_all(module, host, chosen)
    except Exception as error:  # noqa: BLE001: without their host all of them failed
        print(f"hosts: {module.__name__}: {error}", flush=True)
        return len(chosen)


def main():
    # Not below BUILD: the server runs as another user when we are root, and the path of a socket is short.
    work = tempfile.mkdtemp(prefix="hosts.")
    only = os.environ.get("HOSTS_ONLY", "")
    failed = run = 0
    try:
        for module in (lua, png, curl, postgres):
            chosen = [t for t in module.TESTS if only in t.__name__]
            run += len(chosen)
            failed += run_module(module, work, chosen) if chosen else 0
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"hosts: {run - failed} passed, {failed} failed")
    return 1 if failed or not run else 0


sys.exit(main())
