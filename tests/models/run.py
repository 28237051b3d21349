"""Calls of a real llama.cpp server, and what langfuse-local has of them: every field agrees with the raw reply that the caller got.
Two ways: langfuse/model.h (call.c), and the curl command with langfuse/curl.h loaded into it. Then OBSERVE_LLAMA on the library
itself (llama.c).

Environment: BUILD (products), MODELS_ONLY (run only tests whose name contains it), MODELS_KEEP (a folder for the raw replies).
Prints a line a failure and `models: N passed, M failed`.
"""
import base64
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import cases
import raw

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
PYTHON = os.path.join(BUILD, "models", "venv", "bin", "python")
PRELOAD = os.path.join(BUILD, "liblangfuse-curl.so")
KEYS = {"LANGFUSE_PUBLIC_KEY": "pk-lf-local", "LANGFUSE_SECRET_KEY": "sk-lf-local"}
PATIENCE = 300  # seconds, generous: a model on a busy machine
CANCEL_AFTER = 400  # bytes of a stream


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def check_equal(got, want, what):
    check(got == want, f"{what}: expected {want!r}, got {got!r}")


def wait_for_file(path, process):
    deadline = time.monotonic() + PATIENCE
    while not os.path.exists(path) or not os.path.getsize(path):
        check(process.poll() is None, f"{process.args[0]} does not start")
        check(time.monotonic() < deadline, f"{process.args[0]} takes too long to start")
        time.sleep(0.05)
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


class Servers:
    """langfuse-local and the model's server, in a folder of their own."""

    def __init__(self, work):
        self.work = work
        self.processes = []
        self.seen = set()

    def __enter__(self):
        port = self.path("port")
        self.start([os.path.join(BUILD, "langfuse-local"), "serve", "--quiet", "--port", "0", "--port-file", port,
                    "--db", self.path("db")])
        self.langfuse = "http://127.0.0.1:" + wait_for_file(port, self.processes[0])
        address = self.path("address")
        self.start([PYTHON, os.path.join(HERE, "server.py"), address])
        self.model = wait_for_file(address, self.processes[1])
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.stdin.close()
            process.terminate()
            process.wait(timeout=60)

    def path(self, name):
        return os.path.join(self.work, name)

    def start(self, command):
        with open(self.path("log"), "ab") as log:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log))

    def environment(self, **more):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LANGFUSE_", "OTEL_", "LD_PRELOAD"))}
        return dict(clean, **KEYS, LANGFUSE_BASE_URL=self.langfuse, LANGFUSE_EXIT_TIMEOUT_MS="20000", no_proxy="127.0.0.1", **more)

    def run(self, command, **more):
        process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment(**more), text=True,
                                 timeout=PATIENCE, check=False)
        return process.returncode, process.stdout, process.stderr

    def new_observations(self):
        """Those that came since the last call."""
        request = urllib.request.Request(self.langfuse + "/api/public/v2/observations?limit=1000&expandMetadata=*&fields="
                                         "core,basic,time,io,metadata,model,usage,metrics,trace_context")
        request.add_header("Authorization", "Basic " + base64.b64encode(b"pk-lf-local:sk-lf-local").decode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)["data"]
        new = [observation for observation in found if observation["id"] not in self.seen]
        self.seen.update(observation["id"] for observation in new)
        return new


# ---- One call of the server ----

def parsed(value):
    """Inputs, outputs and metadata come as JSON text where they are no plain text."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def texts_and_calls(output):
    """What an output says: the text of each choice, and tool calls as name, arguments, id."""
    output = parsed(output)
    if isinstance(output, str) or output is None:
        return [output or ""], []
    if isinstance(output, list) and output and output[0].get("type") in ("message", "function_call", "reasoning"):
        output = {"content": output}  # items of Responses
    if isinstance(output, dict) and output.get("type") in ("message", "function_call"):
        output = {"content": [output]}
    texts, calls = [], []
    for choice in output if isinstance(output, list) else [output]:
        text, called = text_and_calls(choice)
        texts.append(text)
        calls += called
    return texts, calls


def text_and_calls(message):
    if isinstance(message, str):
        return message, []
    calls = [(call["function"]["name"], call["function"]["arguments"], call["id"]) for call in message.get("tool_calls") or []]
    content = message.get("content") or ""
    if isinstance(content, str):
        return content, calls
    text = ""
    for block in content:
        if block["type"] == "tool_use":
            calls.append((block["name"], json.dumps(block["input"]), block["id"]))
        elif block["type"] == "function_call":
            calls.append((block["name"], block["arguments"], block["call_id"]))
        elif block["type"] == "message":
            text += text_and_calls(block)[0]
        else:
            text += block.get("text", "")
    return text, calls


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def check_usage(got, want):
    """The same counts; one of 0 may be left out."""
    got = got or {}
    nonzero = {key: count for key, count in got.items() if count}
    check_equal(nonzero, {key: count for key, count in (want or {}).items() if count}, "usage")
    check_equal(sum(count for key, count in got.items() if key != "total"), got.get("total", 0), "sum of the usage")


def check_times(observation, streamed):
    begin, first, end = (moment(observation[key]) for key in ("startTime", "completionStartTime", "endTime"))
    if streamed:
        check(first is not None, "a stream has no time to the first token")
        check(begin <= first <= end, f"the first token at {first} is not between {begin} and {end}")
    else:
        check(first is None, f"a reply in one piece has a first token at {first}")


def check_input(observation, request):
    given = parsed(observation["input"])
    if isinstance(request, bytes):
        return
    if "messages" in request:
        messages = given["messages"] if isinstance(given, dict) and "messages" in given else given
        want = request["messages"]
        if "system" in request:
            want = [{"role": "system", "content": request["system"]}] + want
        check_equal(messages, want, "messages of the input")
        check_equal(given.get("tools") if isinstance(given, dict) else None, request.get("tools"), "tools of the input")
    else:
        text = next((request[key] for key in ("prompt", "input", "content") if key in request), None)
        want = json.dumps(text, ensure_ascii=False)
        check(text is None or given == text or want in json.dumps(given, ensure_ascii=False),
              f"input: expected {text!r}, got {given!r}")


def check_parameters(observation, request):
    if isinstance(request, bytes):
        return
    got = parsed(observation.get("modelParameters")) or {}
    for key in ("temperature", "max_tokens", "seed", "n_predict", "max_output_tokens"):
        check_equal(str(got.get(key)), str(request.get(key)), f"model parameter {key}")


def check_reply(observation, want):
    """What a call that succeeded left."""
    check_equal(observation["level"], "DEFAULT", "level")
    check_equal(observation.get("statusMessage") or None, None, "status message")
    check_times(observation, want["streamed"] and any(want["texts"] + want["calls"]))
    check_usage(observation["usageDetails"], want["usage"])
    metadata = observation["metadata"]
    if "vectors" in want:
        output = parsed(observation["output"])
        check_equal((output["count"], output["dimensions"]), want["vectors"], "count and dimensions of the vectors")
        return
    texts, calls = texts_and_calls(observation["output"])
    check_equal(texts, want["texts"], "text of the output")
    check_equal([(name, parsed(given), identity) for name, given, identity in calls],
                [(name, parsed(given), identity) for name, given, identity in want["calls"]], "tool calls of the output")
    check_equal(parsed(metadata.get("finish_reason")), want["finish_reason"], "finish reason")
    check_equal(metadata.get("response_id"), want.get("id"), "id of the reply")
    if want.get("timings") and "timings" in metadata:
        check_equal(parsed(metadata.get("timings")), want["timings"], "timings")


def check_call(observation, case, body, status):
    path, api, request = case
    want = raw.expected(api, body, status)
    check_equal(observation["type"], "EMBEDDING" if "embedding" in path else "GENERATION", "type")
    check_equal(str(observation["metadata"].get("http_status")), str(status), "HTTP status")
    if not isinstance(request, bytes):
        check_input(observation, request)
        check_parameters(observation, request)
        check_equal(observation["model"], want.get("model") or request.get("model") or "", "model")
    if "error" in want:
        check_equal(observation["level"], "ERROR", "level")
        check_equal(observation["statusMessage"], want["error"], "status message")
        check_times(observation, False)
        check_usage(observation["usageDetails"], None)
    else:
        check_reply(observation, want)


def through_model_h(servers, url, request, reply):
    code, out, err = servers.run([os.path.join(BUILD, "tests", "models", "call"), url, request, reply])
    check(code == 0, f"call ended with {code}: {err}")
    return int(out)


def through_preload(servers, url, request, reply):
    code, out, err = servers.run(curl_command(url, request, reply) + ["-w", "%{http_code}"], LD_PRELOAD=PRELOAD)
    check(code == 0 and not err, f"curl ended with {code}: {err}")
    return int(out)


def one(servers):
    new = servers.new_observations()
    check(len(new) == 1, f"expected one observation, got {[observation['name'] for observation in new]}")
    return new[0]


def test_case(servers, way, name):
    case = cases.CASES[name]
    request, reply = servers.path("request"), servers.path("reply")
    with open(request, "wb") as file:
        file.write(cases.body_of(case[2]))
    status = way(servers, servers.model + case[0], request, reply)
    with open(reply, "rb") as file:
        body = file.read()
    keep(name, case, status, body)
    check_call(one(servers), case, body, status)


def keep(name, case, status, body):
    folder = os.environ.get("MODELS_KEEP")
    if folder:
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{name}.{status}.body"), "wb") as file:
            file.write(body)
        with open(os.path.join(folder, f"{name}.request"), "wb") as file:
            file.write(cases.body_of(case[2]))


# ---- Calls that end otherwise ----

def test_cancelled(servers):
    """The program stops in the middle of a stream: the text so far, and a warning."""
    path, _, request = cases.CASES["chat_stream"]
    with open(servers.path("request"), "wb") as file:
        file.write(cases.body_of(dict(request, max_tokens=200, ignore_eos=True)))
    code, _, err = servers.run([os.path.join(BUILD, "tests", "models", "call"), servers.model + path, servers.path("request"),
                                servers.path("reply"), str(CANCEL_AFTER)])
    check(code == 0, f"call ended with {code}: {err}")
    observation = one(servers)
    check_equal((observation["level"], observation["statusMessage"]), ("WARNING", "cancelled"), "level and message")
    with open(servers.path("reply"), "rb") as file:
        whole = file.read().rpartition(b"\n\n")[0]
    text = "".join(event["choices"][0]["delta"].get("content") or "" for event in raw.events_of(whole))
    check_equal(texts_and_calls(observation["output"])[0], [text], "text so far")


def nobody(servers, way):
    with open(servers.path("request"), "wb") as file:
        file.write(cases.body_of(cases.CASES["chat"][2]))
    servers.run(way("http://127.0.0.1:1/v1/chat/completions", servers.path("request"), servers.path("reply")),
                **({"LD_PRELOAD": PRELOAD} if way is curl_command else {}))
    observation = one(servers)
    check_equal(observation["level"], "ERROR", "level")
    check("connect" in observation["statusMessage"].lower(), f"status message: {observation['statusMessage']}")
    check_times(observation, False)


def curl_command(url, request, reply):
    return ["curl", "-sSN", url, "-H", "Content-Type: application/json", "--data-binary", "@" + request, "-o", reply]


def call_command(url, request, reply):
    return [os.path.join(BUILD, "tests", "models", "call"), url, request, reply]


# ---- The library itself ----

def test_llama(servers):
    code, out, err = servers.run([PYTHON, os.path.join(HERE, "llama.py"), os.path.join(BUILD, "tests", "models", "llama.so")])
    check(code == 0, f"llama.py ended with {code}: {err}")
    counted = {line["name"]: line for line in map(json.loads, out.splitlines())}
    check_equal(sorted(counted), ["measured", "reset", "second", "several", "unmeasured"], "generations")
    new = servers.new_observations()
    names = {observation["id"]: observation["name"] for observation in new if observation["name"] != "generate"}
    found = {names[observation["parentObservationId"]]: observation for observation in new if observation["name"] == "generate"}
    check_equal(sorted(found), sorted(counted), "recorded generations")
    for name, observation in found.items():
        check_generation(name, observation, counted[name])


def check_generation(name, observation, counted):
    usage = {"input": counted["input"], "output": counted["output"], "total": counted["input"] + counted["output"]}
    metadata = observation["metadata"]
    timings, llama = parsed(metadata["timings"]), parsed(metadata["llama"])
    check_equal(observation["type"], "GENERATION", f"{name}: type")
    check("SmolLM2".lower() in observation["model"].lower(), f"{name}: model {observation['model']}")
    check_equal(observation["usageDetails"] or {}, {} if name == "several" else usage, f"{name}: usage")
    check_equal((timings["prompt_n"], timings["predicted_n"]), (usage["input"], usage["output"]), f"{name}: timings")
    check_equal("prompt_ms" in timings and timings["predicted_per_second"] > 0, name != "unmeasured", f"{name}: times")
    check_equal(len(observation["output"].encode()), counted["bytes"], f"{name}: bytes of the output")
    check_equal(llama.get("counters_reset"), True if name == "reset" else None, f"{name}: reset")
    check_equal(llama.get("n_seq_max"), 2 if name == "several" else None, f"{name}: sequences")
    check_times(observation, True)


# ---- All of it ----

def tests():
    """Name, function."""
    yield "llama.h", test_llama
    for name in cases.CASES:
        yield f"model.h {name}", lambda servers, name=name: test_case(servers, through_model_h, name)
    yield "model.h cancelled", test_cancelled
    yield "model.h nobody", lambda servers: nobody(servers, call_command)
    if os.path.exists(PRELOAD):
        for name in cases.CASES:
            yield f"curl.h {name}", lambda servers, name=name: test_case(servers, through_preload, name)
        yield "curl.h nobody", lambda servers: nobody(servers, curl_command)
    else:
        print(f"models: SKIP curl.h: there is no {PRELOAD}", flush=True)


def main():
    work = tempfile.mkdtemp(prefix="models.")
    only = os.environ.get("MODELS_ONLY", "")
    failed = run = 0
    try:
        with Servers(work) as servers:
            for name, function in tests():
                if only not in name:
                    continue
                run += 1
                try:
                    function(servers)
                except Exception as error:  # noqa: BLE001: a test that breaks is a test that failed
                    failed += 1
                    print(f"models: {name}: {type(error).__name__} {error}"[:2000], flush=True)
                    servers.new_observations()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"models: {run - failed} passed, {failed} failed")
    return 1 if failed or not run else 0


if __name__ == "__main__":
    sys.exit(main())
