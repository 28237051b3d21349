"""The calls that are made: path, API, request. The seed and the temperature make a reply the same each time."""
import json

import raw

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Weather of a city", "parameters": WEATHER}}]
# So small a model calls no tool by itself: its answer has begun already.
BEGUN = [{"role": "user", "content": "What is the weather in Paris?"}, {"role": "assistant", "content": "<tool_call>\n"}]
HI = [{"role": "user", "content": "Say hi."}]
SURE = {"temperature": 0, "seed": 1}


def chat(messages, **more):
    return {"model": "any", "messages": messages, "max_tokens": 8, **SURE, **more}


def tools(**more):
    return chat(BEGUN, tools=TOOLS, tool_choice="required", **{"max_tokens": 60, **more})


def answer(**more):
    return {"model": "any", "input": "Say hi.", "max_output_tokens": 8, "temperature": 0, **more}


def message(messages, **more):
    return {"model": "any", "max_tokens": 8, "messages": messages, "temperature": 0, **more}


def message_with_tools(**more):
    return message(BEGUN, tool_choice={"type": "any"}, tools=[{"name": "get_weather", "input_schema": WEATHER}],
                   **{"max_tokens": 60, **more})


CHAT, LEGACY, RESPONSES, ANTHROPIC = "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"
STREAM = {"stream": True}
USAGE = {"stream": True, "stream_options": {"include_usage": True}}
PROMPT = "The capital of France is"
LONG = [{"role": "user", "content": "word " * 3000}]

# name: path, API, request. Bytes are sent as they are.
CASES = {
    "chat": (CHAT, raw.chat, chat(HI)),
    "chat_stream": (CHAT, raw.chat, chat(HI, **STREAM)),
    "chat_stream_usage": (CHAT, raw.chat, chat(HI, **USAGE)),
    "chat_again_cached": (CHAT, raw.chat, chat(HI)),
    "chat_system": (CHAT, raw.chat, chat([{"role": "system", "content": "You are terse."}] + HI)),
    "chat_turns": (CHAT, raw.chat, chat(HI + [{"role": "assistant", "content": "Hi."}] + HI, **USAGE)),
    "chat_stop": (CHAT, raw.chat, chat([{"role": "user", "content": "Answer with one word: yes"}], max_tokens=60)),
    "chat_text": (CHAT, raw.chat, chat([{"role": "user", "content": "Übersetze \"naïve\": 日本 😀\n\tplease"}], **STREAM)),
    "chat_choices": (CHAT, raw.chat, chat(HI, n=2, temperature=1)),
    "chat_choices_stream": (CHAT, raw.chat, chat(HI, n=2, temperature=1, **USAGE)),
    "chat_logprobs": (CHAT, raw.chat, chat(HI, logprobs=True, top_logprobs=2, **USAGE)),
    "chat_schema": (CHAT, raw.chat, chat(HI, max_tokens=30, response_format={
        "type": "json_schema", "json_schema": {"name": "city", "schema": WEATHER}})),
    "chat_progress": (CHAT, raw.chat, chat([{"role": "user", "content": "word " * 200 + "Say hi."}], return_progress=True,
                                           ignore_eos=True, **USAGE)),
    "tools": (CHAT, raw.chat, tools(stop=["</tool_call>"])),
    "tools_stream": (CHAT, raw.chat, tools(stop=["</tool_call>"], **USAGE)),
    "tools_several": (CHAT, raw.chat, tools(**STREAM)),
    "tools_result": (CHAT, raw.chat, chat([
        BEGUN[0], {"role": "assistant", "content": None, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Paris\"}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "{\"sky\":\"rain\"}"}], tools=TOOLS)),
    "legacy": (LEGACY, raw.legacy, {"prompt": PROMPT, "max_tokens": 6, **SURE}),
    "legacy_stream": (LEGACY, raw.legacy, {"prompt": PROMPT, "max_tokens": 6, **SURE, **STREAM}),
    "native": ("/completion", raw.native, {"prompt": PROMPT, "n_predict": 6, **SURE}),
    "native_stream": ("/completion", raw.native, {"prompt": PROMPT, "n_predict": 6, **SURE, **STREAM}),
    "responses": (RESPONSES, raw.responses, answer()),
    "responses_stream": (RESPONSES, raw.responses, answer(**STREAM)),
    "responses_instructions": (RESPONSES, raw.responses, answer(instructions="You are terse.")),
    "anthropic": (ANTHROPIC, raw.anthropic, message(HI)),
    "anthropic_stream": (ANTHROPIC, raw.anthropic, message(HI, system="You are terse.", **STREAM)),
    "anthropic_tools": (ANTHROPIC, raw.anthropic, message_with_tools(stop_sequences=["</tool_call>"])),
    "anthropic_tools_stream": (ANTHROPIC, raw.anthropic, message_with_tools(**STREAM)),
    "embeddings": ("/v1/embeddings", raw.embeddings, {"model": "any", "input": ["one", "two words"]}),
    "embeddings_one": ("/v1/embeddings", raw.embeddings, {"model": "any", "input": "one"}),
    "native_embedding": ("/embedding", raw.native_embedding, {"content": "one"}),
    "error_no_such_path": ("/v2/nothing/chat/completions", raw.chat, chat(HI)),
    "error_context": (CHAT, raw.chat, chat(LONG)),
    "error_context_stream": (CHAT, raw.chat, chat(LONG, **STREAM)),
    "error_messages": (CHAT, raw.chat, {"model": "any", "messages": "text"}),
    "error_json": (CHAT, raw.chat, b'{"messages":[{"role":'),
    "error_anthropic": (ANTHROPIC, raw.anthropic, message(LONG)),
    "error_native": ("/completion", raw.native, {"prompt": {"text": PROMPT}, "n_predict": 1}),
}


def body_of(request):
    return request if isinstance(request, bytes) else json.dumps(request, ensure_ascii=False).encode()
