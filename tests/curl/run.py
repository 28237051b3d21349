"""Programs that drive libcurl, without the library and in each way in which it records their calls of models. What a program receives,
and what the server gets from it, must be the same, byte for byte; and what is recorded must be what expected.txt says.

Environment: BUILD (products), CC, CXX, CFLAGS; CURL_ONLY (only ways whose name contains it); CURL_WRITE=1 writes expected.txt. Prints
a line a failure and `curl: N passed, M failed`.
"""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import server

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
SECONDS = 120
PRELOAD = os.path.join(BUILD, "liblangfuse-curl.so")
STATIC = [os.path.join(BUILD, "liblangfuse.a"), "-lcurl", "-lcjson", "-lpthread"]
SHARED = [f"-L{BUILD}", f"-Wl,-rpath,{BUILD}", "-llangfuse", "-lcurl", "-lpthread"]
UNSAID = ("metadata.url", "metadata.response_id", "metadata.finish_reason", "metadata.effective_url")


def packaged(name):
    with open(os.path.join(ROOT, "tools/install", name), encoding="utf-8") as file:
        return file.read()


def wrap_flags():
    return re.findall(r"-Wl,--wrap=\w+", packaged("langfuse-curl-wrap.pc.in"))


SOURCE = shlex.split(re.search(r"^Cflags: (.*)", packaged("langfuse-curl.pc.in"), re.M).group(1).replace("${includedir}", ROOT))


# way: flags of the compiler, whether the library is preloaded, too
WAYS = {
    "source": (SOURCE + STATIC, False),
    "source, shared": (SOURCE + SHARED, False),
    "link": (wrap_flags() + STATIC, False),
    "link, shared": (wrap_flags() + SHARED, False),
    "run": (["-lcurl", "-lpthread"], True),
    "run, beside a shared copy": (SOURCE + SHARED, True),
    "run, beside a static copy": (SOURCE + STATIC, True),
}
PROGRAMS = ("program.c", "program.cpp")


def compile_program(source, flags, out):
    variable, usual, standard = ("CXX", "c++", "-std=c++11") if source.endswith("pp") else ("CC", "cc", "-std=gnu11")
    compiler = os.environ.get(variable) or usual
    command = shlex.split(compiler) + shlex.split(os.environ.get("CFLAGS", "-O2 -g")) + [standard, "-Wall", "-Wextra", "-Werror"]
    subprocess.run(command + [os.path.join(HERE, source)] + flags + ["-o", out], check=True)


def told(path):
    """What was recorded, a line each, in no order."""
    lines = []
    if not os.path.exists(path):
        return lines
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if "hidden" in text:
        lines.append("a secret is recorded")
    for line in text.splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                lines += [line_of(span) for span in scope["spans"]]
    return sorted(lines)


def said_of(span):
    """Attributes by their names; text of metadata as a server reads it back, which is in quotes where it would be JSON without."""
    said = {pair["key"].replace("langfuse.observation.", ""): next(iter(pair["value"].values())) for pair in span["attributes"]}
    return {key: json.loads(value) if key.startswith("metadata.") and str(value).startswith('"') else value for key, value in said.items()}


def line_of(span):
    said = said_of(span)
    place = said.get("metadata.url", "nowhere").split("/", 3)[-1]
    more = " ".join(f"{key[9:]}={said[key]}" for key in sorted(said) if key.startswith("metadata.") and key not in UNSAID)
    if "/endless/" in place:
        said["output"] = "some" # how much of it depends on the moment
    return (f"{place} {said.get('level', '-')} {said.get('status_message', '-')} | {said.get('input', '-')} | {said.get('output', '-')} | "
            f"{more}" + (f" -> {said['metadata.effective_url'].split('/', 3)[-1]}" if "metadata.effective_url" in said else ""))


def environment(path, preloads):
    """Of a program whose calls are recorded in this file."""
    if os.path.exists(path):
        os.unlink(path)
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("LANGFUSE_", "LD_PRELOAD"))}
    variables.update(LANGFUSE_EXPORTER=f"file:{path}", LANGFUSE_PUBLIC_KEY="pk-lf-test", LANGFUSE_SECRET_KEY="sk-lf-test",
                     no_proxy="127.0.0.1", LANGFUSE_EXIT_TIMEOUT_MS="20000")
    if preloads:
        variables.update(LD_PRELOAD=PRELOAD, LANGFUSE_CURL_CHILDREN="true") # a program may be a script that starts another one
    return variables


def run(program, work, preloads, *arguments):
    """(what it printed, what the server got, what was recorded)"""
    path = os.path.join(work, "spans.jsonl")
    host = server.Server()
    done = subprocess.run([program, host.url, *arguments], env=environment(path, preloads), capture_output=True, timeout=SECONDS,
                          check=False)
    host.shutdown()
    host.server_close()
    printed = f"status {done.returncode}\n{done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}"
    port = host.url.rsplit(":", 1)[1]
    asked = sorted(repr((case, sorted(headers.items()), form_free(body))).replace(port, "PORT") for case, headers, body in host.asked)
    return printed.replace(port, "PORT"), asked, told(path)


def form_free(body):
    """The boundaries of a form are by chance."""
    return re.sub(rb"-{20,}\w+", b"BOUNDARY", body)


def first_difference(wanted, got):
    extra = [line for line in got if line not in wanted]
    missing = [line for line in wanted if line not in got]
    return f"{len(wanted)} lines expected, {len(got)} came; missing: {missing[:3]}; too many: {extra[:3]}"[:600]


def without_boundary(lines):
    return [re.sub(r"boundary=-+\w+", "boundary=B", line) for line in lines]


def check(source, work, only):
    plain = os.path.join(work, "plain")
    compile_program(source, ["-lcurl", "-lpthread"], plain)
    printed, asked, recorded = run(plain, work, False)
    wrong = ["it records by itself"] if recorded else []
    wrong += [f"the program alone: {printed[:500]}"] if not printed.startswith("status 0\n") else []
    expected_path = os.path.join(HERE, f"expected.{source}.txt")
    checked, write = 1, bool(os.environ.get("CURL_WRITE"))
    for way, (flags, preloads) in WAYS.items():
        if only not in way:
            continue
        checked += 1
        program = os.path.join(work, "program")
        compile_program(source, flags, program)
        now_printed, now_asked, now_recorded = run(program, work, preloads)
        if write:
            with open(expected_path, "w", encoding="utf-8") as file:
                file.write("\n".join(now_recorded) + "\n")
            write = False
        with open(expected_path, encoding="utf-8") as file:
            expected = file.read().splitlines()
        for what, before, now in (("prints", printed.splitlines(), now_printed.splitlines()),
                                  ("sends", without_boundary(asked), without_boundary(now_asked)),
                                  ("records", expected, now_recorded)):
            if before != now:
                wrong.append(f"{way}: {what} something else: {first_difference(before, now)}")
    for line in wrong:
        print(f"curl: {source}: {line}", flush=True)
    return checked, len({line.split(":")[0] for line in wrong})


def builds(command, out):
    """What is not there on every machine: False, and a line that says so."""
    done = subprocess.run(command + ["-o", out], capture_output=True, check=False)
    if done.returncode != 0:
        print(f"SKIP curl: {' '.join(command[:1] + command[-2:])} does not build here", flush=True)
    return done.returncode == 0


def preloaded(what, program, work, count, *arguments):
    """The same bytes with and without the preloaded library, which records so many calls. How many failed."""
    before, after = run(program, work, False, *arguments), run(program, work, True, *arguments)
    if before[:2] == after[:2] and before[0].startswith("status 0\n") and len(after[2]) == count:
        return 0
    print(f"curl: {what}: {before[0][:300]} | {after[0][:300]} | {after[2]}")
    return 1


def curlpp(work):
    program = os.path.join(work, "curlpp")
    compiler = shlex.split(os.environ.get("CXX") or "c++")
    if not builds(compiler + ["-Wno-deprecated-declarations", os.path.join(HERE, "curlpp.cpp"), "-lcurlpp", "-lcurl"], program):
        return None
    return preloaded("curlpp", program, work, 3)


def two_libcurls(work):
    """The calls of the first one are recorded."""
    compiler, source = shlex.split(os.environ.get("CC") or "cc"), os.path.join(HERE, "two.c")
    program, first, second = (os.path.join(work, name) for name in ("two", "first.so", "second.so"))
    plugin = compiler + ["-DPLUGIN", "-shared", "-fPIC", source]
    if not (builds(plugin + ["-l:libcurl.so.4"], first) and builds(plugin + ["-l:libcurl-gnutls.so.4"], second) and
            builds(compiler + [source, "-ldl"], program)):
        return None
    return preloaded("two libcurls", program, work, 4, first, second, first) or preloaded("two libcurls", program, work, 2, second, first)


def command(work):
    """The curl command sets its options in a way of its own, and writes to a file by itself."""
    program = os.path.join(work, "command")
    with open(program, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nexec curl -sS -d '{\"model\":\"small\",\"messages\":[]}' $1/command/stream/v1/chat/completions\n")
    os.chmod(program, 0o755)
    return preloaded("the curl command", program, work, 1)


def own_client(work):
    """What a program's own copy of the library sends and records, the preloaded one leaves alone."""
    compiler, program = shlex.split(os.environ.get("CC") or "cc"), os.path.join(work, "client")
    if not builds(compiler + [f"-I{ROOT}", os.path.join(HERE, "client.c")] + STATIC, program):
        return None
    return preloaded("the library's own client", program, work, 2)


def curl_of_a_folder(work):
    """A libcurl whose headers the program finds by a flag of its own is recorded as that of the system is."""
    compiler, found = shlex.split(os.environ.get("CC") or "cc"), os.path.join(work, "found.o")
    line = subprocess.run(compiler + ["-E", "-"], input="#include <curl/curl.h>\n", capture_output=True, text=True, check=True).stdout
    os.makedirs(os.path.join(work, "include"))
    os.symlink(os.path.dirname(re.search(r'"(/[^"]*/curl/curl\.h)"', line).group(1)), os.path.join(work, "include", "curl"))
    subprocess.run(compiler + SOURCE + ["-I" + os.path.join(work, "include"), "-c", os.path.join(HERE, "program.c"), "-o", found], check=True)
    with open(found, "rb") as file:
        if b"lf_curl_easy_perform" in file.read():
            return 0
    print("curl: with -I of a folder in which curl/curl.h is, nothing is recorded")
    return 1


def children(_):
    """Programs that a preloaded program starts are left alone, unless that is asked for."""
    shell = "cat /proc/self/environ | tr '\\0' '\\n' | grep -c ^LD_PRELOAD=" # as it was given to cat
    cases = ((None, "0"), ("false", "0"), ("true", "1"))
    shells = ["sh"] + (["bash"] if shutil.which("bash") else []) # which has a setenv of its own
    for name, (value, count) in ((name, case) for name in shells for case in cases):
        environment = dict(os.environ, LD_PRELOAD=PRELOAD)
        environment.pop("LANGFUSE_CURL_CHILDREN", None)
        if value is not None:
            environment["LANGFUSE_CURL_CHILDREN"] = value
        done = subprocess.run([name, "-c", shell], env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.stdout.strip() != count or done.stderr:
            print(f"curl: children of {name} with LANGFUSE_CURL_CHILDREN={value}: {done.stdout}{done.stderr}")
            return 1
    return 0


def main():
    passed = failed = 0
    only = os.environ.get("CURL_ONLY", "")
    with tempfile.TemporaryDirectory(prefix="langfuse-curl.") as work:
        for source in PROGRAMS:
            checked, wrong = check(source, work, only)
            passed, failed = passed + checked - wrong, failed + wrong
        for test in (curlpp, two_libcurls, command, own_client, curl_of_a_folder, children):
            wrong = test(work)
            if wrong is not None:
                passed, failed = passed + 1 - wrong, failed + wrong
    print(f"curl: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
