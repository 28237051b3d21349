"""What filling in a template costs with the Python SDK (PyPI package langfuse): reads what `prompt --template` prints, writes
nanoseconds and the filled-in text for `prompt FILE`. Exit status 1 when the package is not there."""
import json
import statistics
import sys
import time

try:
    from langfuse.model import TextPromptClient
    try:
        from langfuse.api import Prompt_Text
    except ImportError:
        from langfuse.model import Prompt_Text
except ImportError:
    sys.exit(1)

CALLS, ROUNDS = 1000, 101
given = json.load(sys.stdin)
prompt = TextPromptClient(Prompt_Text(name="bench", version=1, prompt=given["prompt"], config={}, labels=[], tags=[]))
variables = given["variables"]
samples = []
for _ in range(ROUNDS):
    start = time.perf_counter_ns()
    for _ in range(CALLS):
        text = prompt.compile(**variables)
    samples.append((time.perf_counter_ns() - start) / CALLS)
print(statistics.median(samples))
print(text, end="")
