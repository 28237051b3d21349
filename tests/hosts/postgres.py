"""A PostgreSQL server of our own: a cluster in a temporary folder, reached through a socket in it."""
import glob
import os
import pwd
import random
import shutil
import subprocess

import common
from common import check, check_equal, check_stats
from traces import Trees, check_lines, failed, node

TESTS, test = common.registry()
HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = 20


class Host(common.Host):
    def __enter__(self):
        super().__enter__()
        bin_folder = subprocess.check_output(["pg_config", "--bindir"], text=True).strip()
        self.bin = {name: os.path.join(bin_folder, name) for name in ("initdb", "pg_ctl", "psql")}
        self.cluster = os.path.join(self.work, "cluster")
        self.extension = shutil.copy(self.product("postgres.so"), self.work)
        self.user = self.choose_user()
        try:
            self.start()
            self.psql(["-v", f"library={self.extension}", "-f", os.path.join(HERE, "postgres.sql")])
        except BaseException:
            self.__exit__()
            raise
        return self

    def choose_user(self):
        """The server refuses to run as root."""
        if os.getuid() != 0:
            return []
        entry = pwd.getpwnam("postgres")
        shutil.chown(self.work, entry.pw_uid, entry.pw_gid)
        os.chmod(os.path.dirname(self.work), 0o755)
        return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]

    def start(self):
        self.server("initdb", "-D", self.cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        with open(os.path.join(self.cluster, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write(f"listen_addresses = ''\nunix_socket_directories = '{self.work}'\nfsync = off\nmax_connections = 50\n")
        self.control("start")

    def control(self, what, **more):
        self.server("pg_ctl", "-D", self.cluster, "-l", os.path.join(self.work, "log"), "-m", "fast", "-w", "-t", "60", what, **more)

    def restart(self, setting, **more):
        self.psql(["-c", f"ALTER SYSTEM SET {setting}"])
        self.control("restart", **more)

    def server(self, program, *arguments, **more):
        # pg_ctl leaves the server behind, which would keep a pipe open.
        with open(os.path.join(self.work, "said"), "w", encoding="utf-8") as said:
            code = subprocess.run(self.user + [self.bin[program], *arguments], stdout=said, stderr=said, cwd="/", timeout=120,
                                  env=common.environment(**more), check=False).returncode
        with open(os.path.join(self.work, "said"), encoding="utf-8") as said:
            check(code == 0, f"{program}: {said.read()}")

    def __exit__(self, *_):
        if os.path.exists(os.path.join(self.cluster, "postmaster.pid")):
            self.control("stop")

    def client(self, arguments):
        command = [self.bin["psql"], "-X", "-q", "-A", "-t", "-h", self.work, "-U", "postgres", "-d", "postgres"]
        return subprocess.Popen(command + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=common.environment())

    def psql(self, arguments):
        client = self.client(arguments)
        out, err = client.communicate(timeout=110)
        check(client.returncode == 0, f"psql {arguments}: {out}{err}")
        return out, err

    def clients(self, scripts):
        """One client for each script, all at once. What each printed, and complained about."""
        running = []
        for i, script in enumerate(scripts):
            path = os.path.join(self.work, f"{i}.sql")
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(script) + "\n")
            running.append(self.client(["-f", path]))
        return [client.communicate(timeout=110) for client in running]


# ---- What a call leaves behind: the lines of its traces, and what SQL says, None for an error

def fails(n):
    return n % 3 == 0


def risky(n):
    return node("risky", {"n": n}, None, "LEFT") if fails(n) else node("risky", {"n": n}, 2 * n)


def fallback(n):
    return node("fallback", {"n": n}, -n)


def step_fails(n, depth):
    return fails(n) and n // 3 % 4 >= depth


def step(n, depth):
    given = {"n": n, "depth": depth}
    if step_fails(n, depth):
        return node("step", given, None, "LEFT", *([] if n // 3 % 4 == depth else [step(n, depth + 1)]))
    return node("step", given, n + 3 - depth, "", *([] if depth == 3 else [step(n, depth + 1)]))


def steps(n):
    return [step(n, 0)], None if step_fails(n, 0) else n + 3


def try_risky(n):
    if fails(n):
        return node("try_risky", {"n": n}, -n, failed(f"no {n}"), risky(n), fallback(n))
    return node("try_risky", {"n": n}, 2 * n, "", risky(n))


def guarded(n):
    return [try_risky(n)], -n if fails(n) else 2 * n


def guarded_twice(n):
    if not step_fails(n, 1):
        inner = node("try_and_throw", {"n": n}, n + 2, "", step(n, 1))
        return [node("guarded_twice", {"n": n}, n + 2, "", inner)], n + 2
    inner = node("try_and_throw", {"n": n}, None, "LEFT " + failed("again"), step(n, 1))
    if n % 6 == 0:
        return [node("guarded_twice", {"n": n}, None, "LEFT", inner)], None
    return [node("guarded_twice", {"n": n}, 2 * n + 2, failed(f"no {n}"), inner, try_risky(n + 1))], 2 * n + 2


def through(n):
    said = (None, "LEFT") if fails(n) else (2 * n, "")
    return node("through_query", {"n": n}, *said, risky(n))


def through_query(n):
    return [through(n)], None if fails(n) else 2 * n


def guarded_query(n):
    if fails(n):
        return [node("guarded_query", {"n": n}, -n, failed(f"no {n}"), through(n), fallback(n))], -n
    return [node("guarded_query", {"n": n}, 2 * n, "", through(n))], 2 * n


def around_block(n):
    children = [risky(n), fallback(n)] if fails(n) else [risky(n)]
    result = -n if fails(n) else 2 * n
    return [node("around_block", {"n": n}, result, "", *children)], result


def forgiving(n):
    return ([risky(n), fallback(n)], -n) if fails(n) else ([risky(n)], 2 * n)


def retried(n):
    lines = []
    for i in range(n, n + 3):
        lines.append(step(i, 0))
        if not step_fails(i, 0):
            return lines, i + 3
    return lines, ""


def plain(n):
    return [risky(n)], None if fails(n) else 2 * n


def insert(n):
    said = (None, "LEFT") if fails(n) else ("good", "")
    return [node("check_row", {"n": n}, *said, risky(n))], None if fails(n) else False


def rolls_back(n):
    return [node("rolls_back", {"n": n}, -n, "", fallback(n))], False


SELECTS = {"risky": plain, "steps": steps, "guarded": guarded, "guarded_twice": guarded_twice, "through_query": through_query,
           "guarded_query": guarded_query, "around_block": around_block, "forgiving": forgiving, "retried": retried}


class Script:
    """Statements of one client, and what must come of them."""

    def __init__(self, *first):
        self.statements = ["\\set VERBOSITY terse", *first]
        self.lines = []
        self.results = []
        self.errors = 0

    def add(self, sql, expected):
        lines, result = expected
        self.statements.append(sql)
        self.lines += lines
        self.errors += result is None
        if result is not None and result is not False:  # False: SQL prints nothing
            self.results.append(str(result))

    def say(self, *sql):
        self.statements += sql


def observe(host, scripts, watched):
    """Run the scripts, each in a backend with a file of its own, and check what they print and observe."""
    files = [host.trace_file() for _ in scripts]
    for script, path in zip(scripts, files):
        first = [f"SELECT trace_to('file:{path}');"] + ["SELECT watch_aborts();"] * watched
        script.statements[1:1] = first
        script.say("SELECT trace_stats();")
    outcomes = host.clients([script.statements for script in scripts])
    for script, path, (out, err) in zip(scripts, files, outcomes):
        printed = out.split("\n")
        check_equal(printed[0], "0", f"trace_to ({err})")
        check_equal(printed[1 + watched:-2], "\n".join(script.results).split("\n"), "what SQL says")
        check_equal(err.count("ERROR:"), script.errors, f"errors in SQL, {err[:300]}")
        trees = Trees(path)
        check_stats(printed[-2], len(trees.spans))
        check_lines(trees.lines(), script.lines)


def numbers(count, seed):
    """As many that fail as there are multiples of three: a third."""
    chosen = list(range(1, count + 1))
    random.Random(seed).shuffle(chosen)
    return chosen


# ---- Tests

def calls_of(function, count, watched=False):
    def case(host):
        scripts = [Script() for _ in range(CLIENTS)]
        for seed, script in enumerate(scripts):
            for n in numbers(count, seed) + [1]:  # unwatched, a failure is noticed by the next call of the same function
                script.add(f"SELECT {function}({n});", SELECTS[function](n))
        observe(host, scripts, watched)
    return case


def claim(name, case):
    case.__name__ = name
    TESTS.append(case)


claim("what_the_main_loop_catches_is_marked_by_the_next_call", calls_of("risky", 400))
claim("many_scopes_left_at_once_are_marked_by_the_next_call", calls_of("steps", 300))
claim("what_pg_catch_catches_is_marked_there_and_the_function_goes_on", calls_of("guarded", 400))
claim("an_error_caught_and_thrown_again_is_told_by_each_that_catches", calls_of("guarded_twice", 300, True))
claim("an_error_leaves_a_query_and_the_function_around_it", calls_of("through_query", 300))
claim("a_subtransaction_in_c_catches", calls_of("guarded_query", 300))
claim("a_block_of_plpgsql_catches_within_a_scope", calls_of("around_block", 300, True))
claim("a_block_of_plpgsql_catches_outside_of_any_scope", calls_of("forgiving", 300, True))
claim("retries_in_plpgsql_are_traces_of_their_own", calls_of("retried", 200, True))


def add_in_transaction(script, one, other, n):
    """Two calls in a transaction, the first in a savepoint, which is rolled back."""
    script.say("BEGIN;", "SAVEPOINT s;")
    script.add(f"SELECT {one}({n});", SELECTS[one](n))
    script.say("ROLLBACK TO s;")
    script.add(f"SELECT {other}({n});", SELECTS[other](n))
    script.say("COMMIT;")


def mixed(count, seed):
    chosen = random.Random(seed)
    script = Script(*(f"PREPARE {name}(int) AS SELECT {name}($1);" for name in SELECTS))
    for n in numbers(count, seed):
        kind = chosen.randrange(6)
        one, other = chosen.choice(list(SELECTS)), chosen.choice(list(SELECTS))
        if kind == 0:
            script.add(f"EXECUTE {one}({n});", SELECTS[one](n))
        elif kind == 1:
            add_in_transaction(script, one, other, n)
        elif kind == 2:
            script.add(f"INSERT INTO numbers VALUES ({n});", insert(n))
        elif kind == 3:
            script.add(f"CALL rolls_back({n});", rolls_back(n))
        else:
            script.add(f"SELECT {one}({n});", SELECTS[one](n))
    return script


@test
def with_callbacks_for_aborts_nothing_begins_within_what_failed(host):
    observe(host, [mixed(200, seed) for seed in range(CLIENTS)], True)


@test
def a_cancelled_statement_is_marked(host):
    script = Script()
    for _ in range(20):
        script.say("SET statement_timeout = '10ms';")
        script.add("SELECT sleeps(60);", ([node("sleeps", {"seconds": 60.0}, None, "LEFT")], None))
        script.say("SET statement_timeout = 0;")
        script.add("SELECT sleeps(0);", ([node("sleeps", {"seconds": 0.0}, "slept")], ""))
    observe(host, [script], True)


@test
def twenty_backends_deliver_to_a_server(host):
    with common.Local(host.build, host.work) as server:
        scripts = [mixed(100, seed) for seed in range(CLIENTS)]
        for script in scripts:
            script.statements[1:1] = [f"SELECT trace_to('{server.url}');", "SELECT watch_aborts();"]
            script.say("SELECT trace_stats();")
        outcomes = host.clients([script.statements for script in scripts])
        for script, (out, _) in zip(scripts, outcomes):
            check_stats(out.split("\n")[-2], sum(line.count("(") for line in script.lines))
        lines = [line for script in scripts for line in script.lines]
        spans = sum(line.count("(") for line in lines)
        check_equal(server.rows("SELECT count(*), count(DISTINCT id), count(DISTINCT trace_id) FROM observations"),
                    [(spans, spans, len(lines))], "stored")
        check_equal(server.rows("SELECT count(*) FROM observations WHERE json_extract(metadata, '$.incomplete') = 'abandoned'"),
                    [(sum(line.count("LEFT") for line in lines),)], "marked")


@test
def rows_of_one_statement_are_traces_of_their_own(host):
    script = Script()
    for n in range(1, 100):
        script.add(f"SELECT risky(i) FROM generate_series({3 * n - 2}, {3 * n + 2}) i;",
                   ([risky(3 * n - 2), risky(3 * n - 1), risky(3 * n)], None))
    script.add("SELECT risky(i) FROM generate_series(1, 2) i;", ([risky(1), risky(2)], "2\n4"))
    observe(host, [script], False)


@test
def backends_of_a_postmaster_that_observes_share_a_file(host):
    path = host.trace_file()
    shutil.copy(os.devnull, path)
    os.chmod(path, 0o666)
    host.restart(f"shared_preload_libraries = '{host.extension}'", LANGFUSE_EXPORTER="file:" + path)
    scripts = [mixed(50, seed) for seed in range(CLIENTS)]
    for script in scripts:
        script.statements[1:1] = ["SELECT watch_aborts();"]
        script.say("SELECT trace_stats();")
    for script, (out, _) in zip(scripts, host.clients([script.statements for script in scripts])):
        check_stats(out.split("\n")[-2], sum(line.count("(") for line in script.lines))
    host.control("stop")
    check_lines(Trees(path).lines(), [line for script in scripts for line in script.lines] + [node("preload")])


@test
def the_server_outlives_all_of_it(host):
    with open(glob.glob(host.work + "/log")[0], encoding="utf-8") as file:
        log = file.read()
    for bad in ("was terminated by signal", "PANIC", "crash of another server process"):
        check(bad not in log, f"the log of the server has: {bad}")
