"""langfuse-local run and env: run.py [PATH of langfuse-local]. Prints a line a failure and `run: N passed, N failed`."""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from harness import LIMIT, SERVER, check, equal, run_tests, test

WORK = tempfile.mkdtemp(prefix="langfuse-run-test-")
TEMPORARY = os.path.join(WORK, "tmp")
# Commands in the background of a shell ignore these, and so do all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

# What a program does: it sends observations as an SDK would, with what its environment says.
SEND = """
import base64, json, os, sys, urllib.request
def send(*names):
    spans = [{"traceId": name, "spanId": "1", "name": name, "startTimeUnixNano": str(1795239341000000000 + i * 10**9),
              "endTimeUnixNano": str(1795239341500000000 + i * 10**9)} for i, name in enumerate(names)]
    keys = os.environ["LANGFUSE_PUBLIC_KEY"] + ":" + os.environ["LANGFUSE_SECRET_KEY"]
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    urllib.request.urlopen(urllib.request.Request(os.environ["LANGFUSE_BASE_URL"] + "/api/public/otel/v1/traces", body,
        {"Content-Type": "application/json", "Authorization": "Basic " + base64.b64encode(keys.encode()).decode()})).read()
"""


def environment(**more):
    clean = {name: value for name, value in os.environ.items() if not re.match("LANGFUSE_|OTEL_|LD_PRELOAD|.*proxy|.*PROXY", name)}
    clean.update(TMPDIR=TEMPORARY, COLUMNS="100", LC_ALL="C", **more)
    return clean


def program(code):
    return [sys.executable, "-c", SEND + code]


def run(arguments, what, code=0, given="", env=None, **more):
    """stdout and stderr of `langfuse-local run ARGUMENTS`"""
    got = subprocess.run([SERVER, "run"] + arguments, input=given, capture_output=True, text=True, timeout=LIMIT, check=False,
                         env=env or environment(), **more)
    check(got.returncode == code, f"{what}: exit code {got.returncode}, not {code}\n{got.stdout}{got.stderr}")
    return got.stdout, got.stderr


def titles(tree):
    return re.findall(r"^span (\S+)", tree, flags=re.M)


def is_clean():
    return os.listdir(TEMPORARY) == []


@test
def the_output_is_that_of_the_program_and_the_tree_follows_on_stderr():
    out, err = run(["--no-preload"] + program("send('a', 'b'); print(sys.stdin.read().upper(), end=''); print('no', file=sys.stderr);"
                                              "sys.exit(7)"), "a program", 7, "text")
    equal(out, "TEXT", "stdout")
    check(err.startswith("no\n\na  a\n"), f"stderr: {err}")
    equal(titles(err), ["a", "b"], "trees")
    check(is_clean(), "the database is still there")


@test
def the_environment_leads_to_the_server():
    show = ["sh", "-c", "env"]
    real = environment(LANGFUSE_BASE_URL="https://cloud", LANGFUSE_HOST="https://cloud", LANGFUSE_SECRET_KEY="sk-real", LANGFUSE_LOG="quiet",
                       LANGFUSE_OTEL_TRACES_EXPORT_PATH="v1/traces", NO_PROXY="corp", http_proxy="http://127.0.0.1:9", WITH="a\nline")
    out, _ = run(["--no-preload", "--"] + show, "env", env=real)
    got = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    port = re.fullmatch(r"http://127\.0\.0\.1:(\d+)", got["LANGFUSE_BASE_URL"])
    check(port and int(port[1]) > 0, got["LANGFUSE_BASE_URL"])
    equal([got.get(name) for name in ("LANGFUSE_HOST", "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGFUSE_LOG", "no_proxy", "NO_PROXY",
                                      "LANGFUSE_OTEL_TRACES_EXPORT_PATH", "LD_PRELOAD", "LANGFUSE_CURL_CHILDREN", "WITH")],
          [port[0], "pk-lf-local", "sk-lf-local", "quiet", "corp,127.0.0.1,localhost", "corp,127.0.0.1,localhost", None, None, None, "a"], "env")
    out, err = run(["--no-preload"] + program("send('x')"), "through no proxy", env=real)
    equal(titles(err), ["x"], "trees")


@test
def arguments_reach_the_program_with_and_without_dashes():
    for dashes in ([], ["--"]):
        out, _ = run(["--no-preload"] + dashes + ["printf", "%s|", "--help", "--keep", "--", "a b", ""], "arguments")
        equal(out, "--help|--keep|--|a b||", "arguments")
    script = os.path.join(WORK, "script")
    with open(script, "w", encoding="utf-8") as file:
        file.write("echo as a shell has it\n")
    os.chmod(script, 0o755)
    equal(run(["--no-preload", script], "a script without #!")[0], "as a shell has it\n", "a script without #!")


@test
def a_database_of_its_own_goes_away_unless_it_is_kept():
    _, err = run(["--no-preload", "--keep"] + program("send('kept')"), "--keep")
    path = re.search(r"^langfuse-local: kept; langfuse-local tree --db (\S+)$", err, flags=re.M)
    check(path and path[1].startswith(TEMPORARY + "/"), f"where it is: {err}")
    out = subprocess.run([SERVER, "tree", "--db", path[1]], capture_output=True, text=True, timeout=LIMIT, check=True).stdout
    equal(titles(out), ["kept"], "tree")
    equal(os.stat(os.path.dirname(path[1])).st_mode & 0o777, 0o700, "permissions")
    shutil.rmtree(os.path.dirname(path[1]))
    run(["--no-preload", "--keep", "no-such-program"], "nothing to keep", 127)
    check(is_clean(), "an empty database is kept")


@test
def a_database_of_the_user_stays_and_old_traces_are_not_shown():
    path = os.path.join(WORK, "mine.db")
    for name in ("first", "second"):
        _, err = run(["--no-preload", "--db", path] + program(f"send('{name}')"), name)
        equal(titles(err), [name], "trees")
    _, err = run(["--no-preload", "--db", path, "true"], "nothing new")
    check("no observation arrived" in err, err)
    out = subprocess.run([SERVER, "traces", "--db", path], capture_output=True, text=True, timeout=LIMIT, check=True).stdout
    equal(len(out.splitlines()), 2, "traces")
    _, err = run(["--no-preload", "--db", WORK + "/no/folder.db", "true"], "no place for a database", 125)
    check("cannot open the database" in err, err)
    _, err = run(["--no-preload", "true"], "no temporary folder", 125, env=environment() | {"TMPDIR": WORK + "/none"})
    check("cannot make a folder in" in err, err)


@test
def the_newest_traces_are_shown_and_the_number_of_all():
    twelve = "send(*(f't{i:02}' for i in range(12)))"
    _, err = run(["--no-preload"] + program(twelve), "twelve")
    equal(titles(err), [f"t{i:02}" for i in range(2, 12)], "trees")
    check("the newest 10 of 12 traces" in err, err)
    _, err = run(["--no-preload", "--all", "--color", "always"] + program(twelve), "all")
    equal(len(re.findall(r"span\x1b", err)), 12, "trees in colour")
    _, err = run(["--no-preload", "--limit", "1"] + program(twelve), "one")
    equal(titles(err), ["t11"], "trees")


@test
def without_observations_one_line_says_what_may_be_the_reason():
    _, err = run(["--no-preload", "true"], "nothing")
    equal([len(err.splitlines()), err.startswith("langfuse-local: no observation arrived. The program must")], [1, True], "a hint")
    check("--children" in err, err)
    _, err = run(["--no-preload", "true"], "nothing", env=environment(LANGFUSE_EXPORTER="file:/dev/null"))
    equal(err, "langfuse-local: no observation arrived; LANGFUSE_EXPORTER=file:/dev/null is set\n", "a reason")


@test
def the_exit_status_is_that_of_the_program_or_what_a_shell_says():
    _, err = run(["--no-preload", "no-such-program"], "not there", 127)
    equal(err, "langfuse-local: cannot run no-such-program: No such file or directory\n", "not there")
    run(["--no-preload", WORK + "/none/program"], "no such folder", 127)
    run(["--no-preload", WORK], "a folder", 126)
    plain = os.path.join(WORK, "plain")
    open(plain, "w", encoding="utf-8").close()
    _, err = run(["--no-preload", plain], "not executable", 126)
    equal(err, f"langfuse-local: cannot run {plain}: Permission denied\n", "not executable")
    _, err = run(["--no-preload", "sh", "-c", "kill -KILL $$"], "killed", 137)
    check("sh was ended by signal 9 (Killed)" in err, err)
    _, err = run(["--no-preload", "sh", "-c", "exit 137"], "as if killed", 137)
    check("signal" not in err, err)
    _, err = run(["--no-preload", "sh", "-c", "kill -INT $$"], "interrupted", 130)
    check("signal" not in err, err)
    with open("/dev/full", "w", encoding="utf-8") as full:
        code = subprocess.run([SERVER, "run", "--no-preload"] + program("send('a'); sys.exit(3)"), stderr=full, env=environment(),
                              timeout=LIMIT, check=False).returncode
    equal(code, 3, "no room for the tree")
    check(is_clean(), "something is left")


@test
def usage_is_told():
    for arguments in ([], ["--"], ["--keep"], ["--what", "true"], ["--db"], ["--limit", "0", "true"], ["--port", "1", "true"]):
        run(arguments, f"usage {arguments}", 2)
    equal(run(["--help", "x"], "help")[0].splitlines()[0].split(":")[0].split()[0], "langfuse-local", "help")


# Says "ready", counts SIGINT and SIGTERM for a moment after the first one, sends, and ends.
COUNTS = """
import signal, time
seen = []
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda number, _: seen.append(number))
print('ready', flush=True)
while not seen: time.sleep(0.01)
for _ in range(20): time.sleep(0.01)
send('ended')
print([int(number) for number in seen], flush=True)
sys.exit(5)
"""


@test
def a_signal_to_the_tool_goes_to_the_program_which_is_waited_for():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        process = subprocess.Popen([SERVER, "run", "--no-preload"] + program(COUNTS), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=environment())
        equal(process.stdout.readline(), "ready\n", "start")
        process.send_signal(number)
        out, err = process.communicate(timeout=LIMIT)
        equal([process.returncode, out, titles(err)], [5, f"[{int(number)}]\n", ["ended"]], f"signal {number}")
    check(is_clean(), "something is left")


class Terminal:
    """langfuse-local run in front of a terminal of its own; `shell` may redirect what it has"""

    def __init__(self, arguments, shell="exec \"$@\""):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve("/bin/sh", ["sh", "-c", shell, "sh", SERVER, "run"] + arguments, environment(TERM="xterm"))
        self.seen = ""

    def read(self):
        """False at the end"""
        try:
            more = os.read(self.fd, 65536).decode()
        except OSError:
            more = ""
        self.seen += more
        return more != ""

    def wait_for(self, words):
        while words not in self.seen:
            check(self.read(), f"the end before {words}: {self.seen}")

    def end(self):
        while self.read():
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), self.seen.replace("\r\n", "\n")


@test
def the_keys_of_the_terminal_reach_the_program_once_and_the_tree_follows():
    terminal = Terminal(["--no-preload"] + program(COUNTS))
    terminal.wait_for("ready")
    os.write(terminal.fd, b"\x03")
    code, seen = terminal.end()
    equal([code, "[2]\n" in seen], [5, True], f"Ctrl-C: {seen}")
    check("\x1b[32mspan\x1b[0m" in seen, f"a tree in colour: {seen}")


@test
def ctrl_c_that_ends_the_program_ends_no_tree():
    for _ in range(3):
        terminal = Terminal(["--no-preload"] + program("send('a'); import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL);"
                                                       "print('ready', flush=True); time.sleep(1000)"))
        terminal.wait_for("ready")
        os.write(terminal.fd, b"\x03")
        code, seen = terminal.end()
        equal([code, "span\x1b[0m" in seen], [130, True], f"Ctrl-C: {seen}")
    check(is_clean(), "something is left")


@test
def signals_that_come_with_the_end_of_the_program_end_no_tree():
    process = subprocess.Popen([SERVER, "run", "--no-preload"] + program("send('a'); print(os.getpid(), flush=True); sys.stdin.read()"),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    pid = process.stdout.readline().strip()
    process.send_signal(signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.stdin.close()
    process.stdin = None
    end = time.time() + LIMIT
    while time.time() < end:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            if file.read().split(") ")[1].startswith("Z"):
                break
        time.sleep(0.01)
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=LIMIT)
    equal([process.returncode, titles(err)], [0, ["a"]], "signals at the end")


@test
def on_a_terminal_the_tree_goes_to_stdout():
    terminal = Terminal(["--no-preload"] + program("send('a')"), "exec \"$@\" 2>/dev/null")
    code, seen = terminal.end()
    equal([code, "span\x1b[0m" in seen], [0, True], seen)


def without_those_of_the_c_library(said):
    """Signals 32 and 33 are its own: it takes them back where a process has threads."""
    return re.sub(r"(Sig\w+:\t)(\w+)", lambda found: f"{found[1]}{int(found[2], 16) & ~(3 << 31):016x}", said)


@test
def signals_and_descriptors_of_the_program_are_those_of_the_caller():
    look = ["sh", "-c", "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; ls -l /proc/self/fd | sed -n 's/.* \\([0-9]*\\) -> .*/\\1/p'"]
    def odd():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    def plain():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    with open("/dev/null", encoding="utf-8") as given:
        for before in (odd, plain):
            alone = subprocess.run(look, stdout=subprocess.PIPE, text=True, env=environment(), pass_fds=[given.fileno()], preexec_fn=before,
                                   timeout=LIMIT, check=True).stdout
            out, _ = run(["--no-preload"] + look, "signals", preexec_fn=before, pass_fds=[given.fileno()])
            equal(without_those_of_the_c_library(out), without_those_of_the_c_library(alone), "signals and descriptors")


def some_library():
    """A library that a program of this machine may load before others without a difference: that of C."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return next(os.path.realpath(path) for path in re.findall(r"(/\S*/libc[.-]\S*)$", maps.read(), flags=re.M))


@test
def the_library_for_libcurl_is_loaded_first():
    library = some_library()
    show = ["sh", "-c", 'echo "$LD_PRELOAD $LANGFUSE_CURL_CHILDREN"']
    link = os.path.join(WORK, "liblangfuse-curl.so")
    os.symlink(library, link)
    out, err = run(show, "a library that is named", env=environment(LANGFUSE_CURL_LIBRARY=library))
    equal(out, library + " \n", "LD_PRELOAD")
    out, _ = run(["--children"] + show, "a library in front", cwd=WORK,
                 env=environment(LANGFUSE_CURL_LIBRARY="liblangfuse-curl.so", LD_PRELOAD=library + ":" + library,
                                 ASAN_OPTIONS="verify_asan_link_order=0")) # of a tool that is built so
    equal(out, f"{library}:{library} true\n", "once in the list")
    out, err = run(show, "a library that is not there", env=environment(LANGFUSE_CURL_LIBRARY="/none.so"))
    equal(out, " \n", "no preload")
    check(err.startswith("langfuse-local: calls of models by libcurl are not recorded: cannot read LANGFUSE_CURL_LIBRARY, /none.so\n"), err)
    blank = os.path.join(WORK, "with a blank.so")
    shutil.copy(library, blank)
    out, err = run(show, "a path with a blank", env=environment(LANGFUSE_CURL_LIBRARY=blank))
    equal([out, "has a blank or a colon" in err], [" \n", True], "a path with a blank")
    os.remove(link)


@test
def the_library_is_found_beside_the_tool():
    global SERVER
    installed, before = os.path.join(WORK, "installed"), SERVER
    os.makedirs(installed + "/bin")
    os.makedirs(installed + "/lib")
    shutil.copy(before, installed + "/bin/langfuse-local")
    SERVER = installed + "/bin/langfuse-local"
    try:
        out, err = run(["sh", "-c", "echo $LD_PRELOAD"], "no library")
        equal([out, "liblangfuse-curl.so is not beside langfuse-local" in err], ["\n", True], "no library")
        for place in ("/lib/", "/bin/"):
            shutil.copy(some_library(), installed + place + "liblangfuse-curl.so")
            out, err = run(["sh", "-c", "echo $LD_PRELOAD"], place)
            equal([out, "not recorded" in err], [installed + place + "liblangfuse-curl.so\n", False], place)
    finally:
        SERVER = before


def env(*arguments, code=0, **more):
    got = subprocess.run([SERVER, "env", *arguments], capture_output=True, text=True, timeout=LIMIT, check=False, env=environment(**more))
    equal(got.returncode, code, f"env {arguments}: {got.stderr}")
    return got.stdout, got.stderr


@test
def env_is_read_by_a_shell():
    lines, _ = env("--port", "4711", "--secret-key", "it's $(no) `key`\\", "--children", "--preload", LANGFUSE_CURL_LIBRARY=some_library())
    out = subprocess.run(["sh", "-c", 'eval "$1"; echo "$LANGFUSE_BASE_URL $LANGFUSE_SECRET_KEY $LD_PRELOAD $LANGFUSE_CURL_CHILDREN"', "sh",
                          lines], capture_output=True, text=True, env=environment(), timeout=LIMIT, check=True).stdout
    equal(out, f"http://127.0.0.1:4711 it's $(no) `key`\\ {some_library()} true\n", "after eval")
    out, err = env("--preload", code=1, LANGFUSE_CURL_LIBRARY="/none.so")
    check("export LANGFUSE_BASE_URL=http://127.0.0.1:3300\n" in out and "cannot read LANGFUSE_CURL_LIBRARY" in err, out + err)
    env("--keep", code=2)
    env("more", code=2)


@test
def env_points_a_program_at_a_running_server():
    port_file, db = os.path.join(WORK, "port"), os.path.join(WORK, "served.db")
    server = subprocess.Popen([SERVER, "serve", "--port", "0", "--port-file", port_file, "--db", db], stdout=subprocess.DEVNULL, env=environment())
    try:
        end = time.time() + LIMIT
        while not os.path.exists(port_file) and time.time() < end:
            time.sleep(0.02)
        with open(port_file, encoding="utf-8") as file:
            port = file.read().strip()
        subprocess.run(["sh", "-c", 'eval "$("$0" env --port "$1")"; shift; exec "$@"', SERVER, port] + program("send('served')"),
                       env=environment(LANGFUSE_BASE_URL="http://127.0.0.1:9"), timeout=LIMIT, check=True)
        out = subprocess.run([SERVER, "tree", "--db", db], capture_output=True, text=True, timeout=LIMIT, check=True).stdout
        equal(titles(out), ["served"], "tree")
    finally:
        server.terminate()
        server.wait(LIMIT)


def main():
    os.mkdir(TEMPORARY)
    try:
        return run_tests("run")
    finally:
        shutil.rmtree(WORK, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
