"""Nothing of a hook, a join or I/O happens between a lock and its unlock: a check that reads the library's code.

    locks.py [FILE...]      the library, or these files; afterwards the check proves on a sample that it finds what it looks for

A function's text is followed from a lock to the unlock; every function of ours that is called there, and what that calls, is
looked at, too. Waiting on a condition gives the lock up and is fine.
"""
import os
import re
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOCK = r"pthread_mutex_lock|lf__monitor_lock|\w+_lock"
UNLOCK = r"pthread_mutex_unlock|lf__monitor_unlock|\w+_unlock"
BANNED = set("""pthread_join pthread_create nanosleep usleep sleep poll select read write open openat close flock mkdir rename renameat unlink
unlinkat fopen opendir fork waitpid curl_multi_perform curl_multi_poll curl_easy_perform curl_global_init curl_multi_cleanup lf__log
lf__client_tell lf__gate_enter lf__gate_enter_log lf__open_at lf__write_all hook mask curl_hook log""".split())
# (function, what it calls): why that is no wait.
ALLOWED = {
    ("worker_start_locked", "lf__own_threads_start"): "creating a thread waits for nobody, and no second one may be created meanwhile",
    ("cache_ensure_thread", "lf__own_threads_start"): "the same",
    ("worker_raise_event", "write"): "the count of an eventfd that does not block, as pthread_cond_signal is for a thread",
    ("worker_start_pumped_locked", "lf__above_standard"): "makes that eventfd",
}
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "defined", "_Static_assert", "__attribute__", "__typeof__"}


def without_comments(text):
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def functions_of(text):
    """name -> body, of definitions that begin in the first column."""
    found = {}
    for match in re.finditer(r"^[A-Za-z_][^;{}#]*?\b(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", text, flags=re.S | re.M):
        found[match.group(1)] = match.group(2)
    return found


def calls(text):
    return [name for name in re.findall(r"\b(\w+)\s*\(", text) if name not in KEYWORDS]


def held_text(body, held=0):
    """The lines during which a lock is held; `held`: it is at the beginning, too. An unlock in a block of its own holds until the end
    of that block, which returns, or locks again."""
    out, block = [], None
    for line in body.split("\n"):
        indent = len(line) - len(line.lstrip())
        if block is not None and line.strip() and indent < block:
            held, block = 1, None
        if re.search(rf"\b(?:{LOCK})\(", line) and "try" not in line:
            held, block = 1, None
        elif re.search(rf"\b(?:{UNLOCK})\(", line):
            block = indent if held and indent > 4 else None
            held = 0
        elif held:
            out.append(line)
    return "\n".join(out)


def reached(name, functions, seen):
    """The banned call that a function leads to, as a path; or nothing."""
    if name in BANNED:
        return [name]
    if name in seen or name not in functions:
        return None
    seen.add(name)
    for called in calls(held_text(functions[name], held=1)):
        if (name, called) in ALLOWED:
            continue
        path = reached(called, functions, seen)
        if path:
            return [name] + path
    return None


def check(files):
    functions, wrong, looked_at = {}, [], 0
    for path in files:
        with open(path, encoding="utf-8") as file:
            functions.update(functions_of(without_comments(file.read())))
    for name, body in sorted(functions.items()):
        if re.search(r"_(?:before|after)_fork|_lock$|_lock_setup$", name):
            continue
        held = held_text(body)
        looked_at += held != ""
        for called in calls(held):
            if (name, called) in ALLOWED or re.fullmatch(f"{LOCK}|{UNLOCK}", called):
                continue
            path = reached(called, functions, set())
            if path:
                wrong.append(f"{name} holds a lock while it calls {' -> '.join(path)}")
    return wrong, looked_at


SAMPLE = """
static void inner(void)
{
    (void)write(2, "", 1);
}

static void outer(void)
{
    pthread_mutex_lock(&lock);
    inner();
    pthread_mutex_unlock(&lock);
}

static void fine(void)
{
    pthread_mutex_lock(&lock);
    count++;
    pthread_mutex_unlock(&lock);
    inner();
}
"""


def main():
    files = sys.argv[1:] or sorted(
        os.path.join(folder, name) for start in ("src", "langfuse") for folder, _, names in os.walk(os.path.join(ROOT, start))
        for name in names if name.endswith((".c", ".h")) and name != "all.c") + [os.path.join(ROOT, "lf_core.c")]
    wrong, looked_at = check(files)
    for line in wrong:
        print("locks:", line)
    with tempfile.NamedTemporaryFile("w", suffix=".c") as sample:
        sample.write(SAMPLE)
        sample.flush()
        found, _ = check([sample.name])
    if found != ["outer holds a lock while it calls inner -> write"]:
        wrong.append("the check does not find what it looks for")
        print("locks: the check does not find what it looks for:", found)
    print(f"locks: {looked_at} functions that hold one, {len(wrong)} wrong")
    sys.exit(bool(wrong))


main()
