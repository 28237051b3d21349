"""The doors of the house: who may include whom, by file and by symbol; which calls and which function pointers are allowed.

    layers.py [--objects FOLDER] [TREE]     a tree, and the symbols of its objects in FOLDER; without TREE this project, and
                                            afterwards the check itself, on a tree in which every rule is broken once

Doors lead one way: observe.h -> lf_core.h <- lf_core.c -> rooms of src/; langfuse/ -> lf_core.h and the rooms; server/ -> nothing of
ours. langfuse/llama.h is macros over observe.h, and no part of the library. A room is a folder of src/; a module is a .c file with its .h file.
"""
import fnmatch
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# room: the rooms, or single modules of them, that its doors lead to.
DOORS = {
    "base": [],
    "observe": ["base"],
    "model": ["base"],
    "deliver": ["base", "observe", "model"],
    "ask": ["base", "deliver/http"],
    "life": ["base", "observe", "model", "deliver", "ask"],
}
FLOORS_MOST = 5

C11 = """assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic stdbool stddef
stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype""".split()
C11 = [name + ".h" for name in C11]

# file pattern: what it may include, beside what the doors allow. The first one that fits counts; None: any header of the system.
INCLUDES = [
    ("lf_core.h", ["langfuse/blocks.h", "langfuse/macros.h", "poll.h", "pthread.h", "stdbool.h", "stddef.h", "stdint.h"]),
    ("langfuse/macros.h", []),
    ("langfuse/blocks.h", []),
    ("langfuse/observe.h", ["observe.h"]),
    ("langfuse/llama.h", ["observe.h", "llama.h"] + C11),
    ("langfuse/curl.h", ["lf_core.h", "langfuse/curl_names.h", "curl/curl.h"]),
    ("langfuse/curl_names.h", ["curl/curl.h"]),
    ("langfuse/*.h", ["lf_core.h"] + C11),
    ("observe.h", ["lf_core.h", "cstddef", "exception", "initializer_list", "type_traits", "utility"]),
    ("lf_core.c", ["lf_core.h", "src/*/*.h"] + C11),
    ("langfuse/*.c", None),
    ("src/all.c", ["lf_core.c", "langfuse/*.c", "src/*/*.c"]),
    ("src/*/*", None),
    ("server/*", None),
]

# library: the only files that may include it. The storage of the server is several files: they share one header, which has SQLite.
OWNERS = {
    "curl/*": ["src/deliver/http.c", "langfuse/curl.c", "langfuse/curl.h", "langfuse/curl_names.h"],
    "cjson/cJSON.h": ["src/base/answer.c", "src/base/value.c", "src/ask/project.c", "src/ask/prompt_body.c", "src/ask/template.c", "langfuse/*.c"],
    "microhttpd.h": ["server/http.c"],
    "sqlite3.h": ["server/store_private.h"],
    "server/store_private.h": ["server/store*.c"],
    "zlib.h": ["server/gunzip.c", "src/base/gzip.c"],
}

# Encoders and parsers work on memory: they include nothing that does I/O, and of <stdio.h> they use what prints to memory.
NO_IO = """src/model/* src/base/answer.* src/base/buf.* src/base/gzip.* src/base/json.* src/base/limits.* src/base/python.* src/base/sha256.* src/base/text.* src/base/value.*
src/observe/capture.* src/observe/context.h src/observe/propagate.* src/observe/record.* src/observe/site.* src/observe/trace_context.*
src/deliver/mask.* src/deliver/pb.h src/deliver/pending.* src/deliver/verdict.* src/deliver/wire*.* src/ask/template.*
server/text.* server/arena.* server/buf.* server/member.* server/span*.* server/json.* server/otlp*.* server/observation.* server/usage.* server/cost.* server/clock.* server/js_date.* server/auth.* server/gunzip.* server/price*.*
server/prompt.* server/prompt_references.* server/metadata.* server/forest.* server/environment.* server/xxhash.*""".split()
IO_HEADERS = """unistd.h fcntl.h sys/socket.h sys/stat.h sys/types.h sys/mman.h sys/uio.h netdb.h poll.h dirent.h arpa/inet.h
netinet/in.h""".split()
IO_CALLS = "fopen fdopen freopen fclose fread fwrite fputs fputc fgets fprintf vfprintf getline fflush".split()

BANNED = """sprintf vsprintf strcpy stpcpy strcat strncpy strncat atoi atol atoll atof gets strtok rand srand system popen localtime
gmtime ctime asctime tmpnam tempnam mktemp alloca scanf sscanf abort setenv putenv strerror_r""".split()
# A library is a guest: it neither ends the program, nor writes to its output, nor changes its signals.
BANNED_IN_LIBRARY = "printf vprintf puts putchar perror exit _exit quick_exit assert signal sigaction setlocale sleep usleep".split()

# The names of function pointers in the rooms, and what they are for: hooks of the program, or several implementations.
POINTERS = {
    "log": "hook", "lf__log_hook": "hook", "mask": "hook", "curl_hook": "hook", "set": "hook: headers out", "get": "hook: headers in",
    "done": "the end of a transfer: of an export, of a question", "add": "an item of a list: for both formats, for headers",
    "trace_add_tag": "the same", "easy_init": "libcurl's", "easy_setopt": "the same", "run": "the main function of a thread", "compare": "a function of the C library",
}


def without_comments(text):
    text = re.sub(r"/\*.*?\*/", lambda match: re.sub(r"[^\n]", " ", match.group()), text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return text


def code_of(text):
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', without_comments(text))


def fits(name, patterns):
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def room_of(file):
    parts = file.split("/")
    return parts[1] if len(parts) == 3 and parts[0] == "src" else None


def module_of(file):
    return os.path.splitext(file)[0]


def is_open(source, target):
    """Does a door lead from this file to that one? Both are of the library."""
    if module_of(source) == module_of(target):
        return True
    here, there = room_of(source), room_of(target)
    if here is None:
        return True
    if there is None:
        return target == "lf_core.h"
    return here == there or there in DOORS[here] or module_of(target)[len("src/"):] in DOORS[here]


class Tree:
    def __init__(self, root):
        self.root = root
        self.said = []
        self.checked = 0
        self.texts = {}
        for folder, _, names in os.walk(root):
            place = os.path.relpath(folder, root)
            for name in names:
                path = os.path.normpath(os.path.join(place, name))
                if re.fullmatch(r"(observe|lf_core|(langfuse|src|src/\w+|server)/\w+)\.[ch]", path):
                    with open(os.path.join(root, path), encoding="utf-8") as file:
                        self.texts[path] = file.read()

    def fail(self, line):
        self.said.append(line)

    def includes(self, file):
        """(as it is written, the file that it is in this tree or None)"""
        for bracket, name in re.findall(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', self.texts[file], flags=re.M):
            path = os.path.normpath(os.path.join(os.path.dirname(file), name))
            if bracket == '"' and path not in self.texts and name in self.texts:
                path = name
            yield name, path if bracket == '"' else None

    def check_include(self, file, name, path, allowed):
        target = path if path is not None else name
        if path is not None and path not in self.texts:
            self.fail(f"{file} includes {name}, which is not there")
        elif path is None or file.count("/") == 0 or file.startswith("langfuse/") or file == "src/all.c":
            bad_name = target == "observe.h" and file not in ("langfuse/observe.h", "langfuse/llama.h")
            if bad_name or (allowed is not None and not fits(target, allowed)):
                self.fail(f"{file} includes {target}")
        elif target.split("/")[0] != file.split("/")[0] and target != "lf_core.h" or \
                file.startswith("server/") and not target.startswith("server/"):
            self.fail(f"{file} includes {target}")
        elif file.startswith("src/") and not is_open(file, target):
            self.fail(f"{file} includes {target}: there is no such door")
        for library, owners in OWNERS.items():
            if fnmatch.fnmatch(target, library) and not fits(file, owners) and file != library:
                self.fail(f"{file} includes {target}, which is not its business")
        if fits(file, NO_IO) and target in IO_HEADERS:
            self.fail(f"{file} does no I/O, but includes {target}")

    def check_calls(self, file):
        banned = BANNED + ([] if file.startswith("server/") else BANNED_IN_LIBRARY) + (IO_CALLS if fits(file, NO_IO) else [])
        code = code_of(self.texts[file])
        # A call or a declaration of that name; not a member, not part of a longer name.
        for name in sorted(set(re.findall(r"(?<![A-Za-z0-9_.>])(" + "|".join(banned) + r") *\(", code))):
            self.fail(f"{file} uses {name}")
        if not file.startswith("server/") and file != "langfuse/curl.c" and re.search(r"\bstdout\b", code): # where libcurl writes
            self.fail(f"{file} uses stdout")

    def check_pointers(self, file):
        if room_of(file) is None or fits(file, ["src/deliver/wire*"]):
            return # the formats are implementations of one interface
        for name in re.findall(r"\(\s*\*\s*(?:const\s+)?(\w+)\s*\)\s*\(", code_of(self.texts[file])):
            if name not in POINTERS:
                self.fail(f"{file} has a function pointer, {name}: who are its users?")

    def check_order(self):
        """Modules do not include each other in a circle."""
        arrows = {}
        for file in self.texts:
            for _, path in self.includes(file):
                here, there = module_of(file), "" if path is None else module_of(path)
                if path in self.texts and here != there and file != "src/all.c" and not {here, there} & {"lf_core", "observe"} and \
                        not file.startswith("server/"):
                    arrows.setdefault(here, set()).add(there)
        for loop in circles(arrows):
            self.fail("these include each other: " + " ".join(sorted(loop)))

    def check(self):
        for file in sorted(self.texts):
            self.checked += 1
            lines = [allowed for pattern, allowed in INCLUDES if fnmatch.fnmatch(file, pattern)]
            if not lines:
                self.fail(f"{file} stands in no line of the table")
                continue
            for name, path in self.includes(file):
                self.check_include(file, name, path, lines[0])
            self.check_calls(file)
            self.check_pointers(file)
        self.check_order()

    def check_symbols(self, objects):
        """objects: file -> (symbols that it defines, symbols that it uses)"""
        where = {symbol: file for file, (defined, _) in objects.items() for symbol in defined}
        for file, (defined, used) in sorted(objects.items()):
            for symbol in sorted(defined):
                if room_of(file) is not None and re.match(r"lf_[^_]", symbol) and symbol != "lf_i_mode_word":
                    self.fail(f"{file} defines {symbol}: what lf_core.h promises stands in lf_core.c")
            for symbol in sorted(used):
                target = where.get(symbol)
                if target is not None and room_of(file) is not None and not is_open(file, target):
                    self.fail(f"{file} uses {symbol} of {target}: there is no such door")
            self.checked += 1


def circles(arrows):
    """The sets of names that reach each other."""
    def reached(start):
        seen, ahead = set(), list(arrows.get(start, ()))
        while ahead:
            name = ahead.pop()
            if name not in seen:
                seen.add(name)
                ahead.extend(arrows.get(name, ()))
        return seen
    every = {name: reached(name) for name in arrows}
    found = {frozenset(other for other in every if other in every[name] and name in every[other]) for name in every if name in every[name]}
    return sorted(found, key=sorted)


def read_objects(folder):
    objects = {}
    for place, _, names in os.walk(folder):
        for name in names:
            file = os.path.normpath(os.path.join(os.path.relpath(place, folder), name))[:-1] + "c"
            if not name.endswith(".o") or not re.fullmatch(r"(lf_core|(langfuse|src/\w+)/\w+)\.c", file):
                continue
            if not os.path.exists(os.path.join(ROOT, file)):
                continue # of a file that is no more
            out = subprocess.run(["nm", os.path.join(place, name)], capture_output=True, text=True, check=True).stdout
            entries = re.findall(r"(?:^|\s)([A-TV-Z]|U) (\S+)$", out, flags=re.M)
            objects[file] = ({s for kind, s in entries if kind != "U"}, {s for kind, s in entries if kind == "U"})
    return objects


def floors():
    """room -> its floor, counted from 1."""
    height = {}
    def of(room):
        if room not in height:
            height[room] = 1 + max((of(door.split("/")[0]) for door in DOORS[room]), default=0)
        return height[room]
    return {room: of(room) for room in DOORS}


def tell_house(tree):
    height = floors()
    for room in sorted(DOORS, key=lambda name: -height[name]):
        files = [file for file in tree.texts if room_of(file) == room]
        lines = sum(tree.texts[file].count("\n") for file in files)
        print(f"layers: floor {height[room]}  src/{room:<8} {len({module_of(f) for f in files}):3} modules {lines:6} lines   -> "
              f"{', '.join(DOORS[room]) or 'nothing'}")
    if max(height.values()) > FLOORS_MOST:
        tree.fail(f"more than {FLOORS_MOST} floors")


# A small tree in which every rule is broken once: file, code, the line that must be said.
BROKEN = [
    ("observe.h", "#include <stdio.h>", "observe.h includes stdio.h"),
    ("lf_core.h", '#include "src/base/buf.h"', "lf_core.h includes src/base/buf.h"),
    ("lf_core.c", '#include "observe.h"', "lf_core.c includes observe.h"),
    ("lf_core.c", 'puts("x");', "lf_core.c uses puts"),
    ("langfuse/score.h", '#include "../src/base/buf.h"', "langfuse/score.h includes src/base/buf.h"),
    ("langfuse/score.c", '#include "../observe.h"', "langfuse/score.c includes observe.h"),
    ("src/observe/site.c", '#include "../../observe.h"', "src/observe/site.c includes observe.h"),
    ("src/base/config.c", '#include "../../server/text.h"', "src/base/config.c includes server/text.h"),
    ("src/base/config.c", '#include "none.h"', "src/base/config.c includes none.h, which is not there"),
    ("src/deliver/worker.c", "#include <curl/curl.h>", "src/deliver/worker.c includes curl/curl.h, which is not its business"),
    ("src/base/json.c", "#include <cjson/cJSON.h>", "src/base/json.c includes cjson/cJSON.h, which is not its business"),
    ("src/deliver/wire_otlp.c", "#include <unistd.h>", "src/deliver/wire_otlp.c does no I/O, but includes unistd.h"),
    ("src/observe/capture.c", "file = fopen(path);", "src/observe/capture.c uses fopen"),
    ("src/base/base.c", "fputs(line, stdout);", "src/base/base.c uses stdout"),
    ("src/base/base.c", "x = strcpy (a, b); /* strcat(a, b) */", "src/base/base.c uses strcpy"),
    ("src/deliver/export.c", "signal(SIGPIPE, SIG_IGN);", "src/deliver/export.c uses signal"),
    ("src/deliver/export.c", "exit(1);", "src/deliver/export.c uses exit"),
    ("src/observe/stack.c", '#include "../deliver/worker.h"', "src/observe/stack.c includes src/deliver/worker.h: there is no such door"),
    ("src/ask/rest.c", '#include "../deliver/http.h"', None),
    ("src/ask/rest.c", '#include "../deliver/worker.h"', "src/ask/rest.c includes src/deliver/worker.h: there is no such door"),
    ("src/observe/handle.h", "void lf__end(void (*submit)(int));", "src/observe/handle.h has a function pointer, submit: who are its users?"),
    ("src/base/record.h", '#include "segment.h"', "these include each other: src/base/record src/base/segment"),
    ("src/base/segment.h", '#include "record.h"', None),
    ("server/api.c", '#include "../lf_core.h"', "server/api.c includes lf_core.h"),
    ("server/api.c", "#include <microhttpd.h>", "server/api.c includes microhttpd.h, which is not its business"),
    ("server/read.c", "#include <sqlite3.h>", "server/read.c includes sqlite3.h, which is not its business"),
    ("server/read.c", '#include "store_private.h"', "server/read.c includes server/store_private.h, which is not its business"),
    ("server/tree.c", "n = atoi(text);", "server/tree.c uses atoi"),
    # And what breaks no rule: comments, texts, members, longer names.
    ("src/base/sha256.c", '/* sprintf(x)\n * gets(y) */\na = "strtok(z)";\nb->rand(1); my_system(2); snprintf(c, 1, "");', None),
]
BROKEN_SYMBOLS = {
    "src/observe/stack.c": ({"lf__stack"}, {"lf__worker", "malloc", "lf__buf"}),
    "src/deliver/worker.c": ({"lf__worker"}, {"lf__stack", "lf__buf", "lf_flush"}),
    "src/base/buf.c": ({"lf__buf", "lf_buf"}, set()),
    "lf_core.c": ({"lf_flush"}, {"lf__worker"}),
}
BROKEN_SAID = ["src/base/buf.c defines lf_buf: what lf_core.h promises stands in lf_core.c",
               "src/observe/stack.c uses lf__worker of src/deliver/worker.c: there is no such door",
               "src/deliver/worker.c uses lf_flush of lf_core.c: there is no such door"]


def self_test():
    with tempfile.TemporaryDirectory() as root:
        for file in ["src/base/buf.h", "src/deliver/http.h", "src/deliver/worker.h", "server/text.h", "server/store_private.h"]:
            os.makedirs(os.path.dirname(os.path.join(root, file)), exist_ok=True)
            open(os.path.join(root, file), "w", encoding="utf-8").close()
        for file, code, _ in BROKEN:
            os.makedirs(os.path.dirname(os.path.join(root, file)), exist_ok=True)
            with open(os.path.join(root, file), "a", encoding="utf-8") as out:
                out.write(code + "\n")
        tree = Tree(root)
        tree.check()
        tree.check_symbols(BROKEN_SYMBOLS)
    wanted = sorted([line for _, _, line in BROKEN if line is not None] + BROKEN_SAID)
    if sorted(tree.said) == wanted:
        return len(wanted), []
    return 0, [f"self-test: not said: {line}" for line in wanted if line not in tree.said] + \
        [f"self-test: said: {line}" for line in tree.said if line not in wanted]


def main():
    arguments = sys.argv[1:]
    objects = {}
    if arguments[:1] == ["--objects"]:
        objects = read_objects(arguments[1])
        arguments = arguments[2:]
    tree = Tree(arguments[0] if arguments else ROOT)
    tree.check()
    tree.check_symbols(objects)
    if not arguments:
        tell_house(tree)
        count, wrong = self_test()
        tree.checked += count
        tree.said += wrong
        if not objects:
            print("layers: symbols not looked at: no --objects")
    for line in tree.said:
        print("layers:", line)
    print(f"layers: {tree.checked} checked, {len(objects)} of them by symbols, {len(tree.said)} wrong")
    sys.exit(bool(tree.said) or tree.checked == 0)


main()
