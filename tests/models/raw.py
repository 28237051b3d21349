"""What a raw reply of llama.cpp's server says, read in another way than the library reads it: whole, with Python's json, by the API
that was asked. `expected` is what the observation must hold.
"""
import json


def events_of(body):
    """The values of a stream's data lines, or None: the body is no stream."""
    if not body.lstrip().startswith((b"data:", b"event:", b":")):
        return None
    values = []
    for block in body.decode().split("\n\n"):
        data = "\n".join(line[5:].lstrip(" ") for line in block.split("\n") if line.startswith("data:"))
        if data and data != "[DONE]":
            values.append(json.loads(data))
    return values


def usage_of_openai(usage, input_name, output_name):
    details = usage.get(input_name + "_details") or {}
    cached = details.get("cached_tokens", 0)
    return {"input": usage[input_name] - cached, "input_cached_tokens": cached, "output": usage.get(output_name, 0),
            "total": usage["total_tokens"]}


def usage_of_timings(timings):
    return {"input": timings["prompt_n"], "input_cached_tokens": timings["cache_n"], "output": timings["predicted_n"],
            "total": timings["prompt_n"] + timings["cache_n"] + timings["predicted_n"]}


def merge_message(message, delta):
    for key in ("content", "reasoning_content"):
        if delta.get(key) is not None:
            message[key] = (message.get(key) or "") + delta[key]
    for piece in delta.get("tool_calls", []):
        calls = message.setdefault("tool_calls", [])
        while len(calls) <= piece["index"]:
            calls.append({"id": "", "function": {"name": "", "arguments": ""}})
        call = calls[piece["index"]]
        call["id"] = piece.get("id") or call["id"]
        for key in ("name", "arguments"):
            call["function"][key] += piece.get("function", {}).get(key) or ""


def chat(body):
    """Choices of a chat: text and calls by index."""
    events = events_of(body)
    streamed = events is not None
    messages, reasons, said = {}, {}, {}
    for event in events if streamed else [json.loads(body)]:
        said.update({key: value for key, value in event.items() if key != "choices"})
        for choice in event["choices"]:
            if streamed:
                merge_message(messages.setdefault(choice["index"], {}), choice["delta"])
            else:
                messages[choice["index"]] = choice["message"]
            reasons[choice["index"]] = choice["finish_reason"] or reasons.get(choice["index"])
    usage = usage_of_openai(said["usage"], "prompt_tokens", "completion_tokens") if said.get("usage") else \
        usage_of_timings(said["timings"])
    indexes = sorted(messages)
    return {"streamed": streamed, "model": said["model"], "usage": usage, "id": said["id"], "timings": said.get("timings"),
            "texts": [messages[i].get("content") or "" for i in indexes],
            "calls": [(call["function"]["name"], call["function"]["arguments"], call["id"])
                      for i in indexes for call in messages[i].get("tool_calls", [])],
            "finish_reason": reasons[0] if len(indexes) == 1 else [reasons[i] for i in indexes]}


def legacy(body):
    events = events_of(body)
    texts, reason, said = {}, None, {}
    for event in events if events is not None else [json.loads(body)]:
        said.update({key: value for key, value in event.items() if key != "choices"})
        for choice in event["choices"]:
            texts[choice["index"]] = texts.get(choice["index"], "") + choice["text"]
            reason = choice["finish_reason"] or reason
    usage = usage_of_openai(said["usage"], "prompt_tokens", "completion_tokens") if said.get("usage") else \
        usage_of_timings(said["timings"])
    return {"streamed": events is not None, "model": said["model"], "usage": usage, "id": said["id"],
            "timings": said.get("timings"), "texts": [texts[i] for i in sorted(texts)], "calls": [],
            "finish_reason": reason}


def native(body):
    events = events_of(body)
    last = events[-1] if events is not None else json.loads(body)
    text = "".join(event["content"] for event in events) if events is not None else last["content"]
    cached = last["timings"]["cache_n"]
    usage = {"input": last["tokens_evaluated"] - cached, "input_cached_tokens": cached, "output": last["tokens_predicted"],
             "total": last["tokens_evaluated"] + last["tokens_predicted"]}
    return {"streamed": events is not None, "model": last["model"], "usage": usage, "timings": last["timings"], "texts": [text],
            "calls": [], "finish_reason": last["stop_type"]}


def responses(body):
    events = events_of(body)
    reply = events[-1]["response"] if events is not None else json.loads(body)
    parts = [part for item in reply["output"] if item["type"] == "message" for part in item["content"]]
    calls = [(item["name"], item["arguments"], item["call_id"]) for item in reply["output"] if item["type"] == "function_call"]
    return {"streamed": events is not None, "model": reply["model"],
            "usage": usage_of_openai(reply["usage"], "input_tokens", "output_tokens"), "id": reply["id"],
            "texts": ["".join(part["text"] for part in parts)], "calls": calls, "finish_reason": reply["status"]}


def anthropic(body):
    events = events_of(body)
    if events is None:
        message = json.loads(body)
        blocks = message["content"]
    else:
        message, blocks = next(event["message"] for event in events if event["type"] == "message_start"), {}
        for event in events:
            if event["type"] == "content_block_start":
                blocks[event["index"]] = dict(event["content_block"], json="")
            elif event["type"] == "content_block_delta":
                block, delta = blocks[event["index"]], event["delta"]
                block["text"] = block.get("text", "") + delta.get("text", "")
                block["json"] += delta.get("partial_json", "")
            elif event["type"] == "message_delta":
                message["usage"].update(event["usage"])
                message["stop_reason"] = event["delta"]["stop_reason"]
        blocks = [blocks[index] for index in sorted(blocks)]
        for block in blocks:
            if block["type"] == "tool_use":
                block["input"] = json.loads(block["json"] or "{}")
    usage = message["usage"]
    cached = usage.get("cache_read_input_tokens", 0)
    return {"streamed": events is not None, "model": message["model"], "id": message["id"],
            "usage": {"input": usage["input_tokens"], "input_cached_tokens": cached, "output": usage["output_tokens"],
                      "total": usage["input_tokens"] + cached + usage["output_tokens"]},
            "texts": ["".join(block.get("text", "") for block in blocks)],
            "calls": [(block["name"], json.dumps(block["input"]), block["id"]) for block in blocks if block["type"] == "tool_use"],
            "finish_reason": message["stop_reason"]}


def embeddings(body):
    reply = json.loads(body)
    return {"streamed": False, "model": reply["model"],
            "usage": {"input": reply["usage"]["prompt_tokens"], "total": reply["usage"]["total_tokens"]},
            "vectors": (len(reply["data"]), len(reply["data"][0]["embedding"]))}


def native_embedding(body):
    reply = json.loads(body)
    return {"streamed": False, "model": None, "usage": None, "vectors": (len(reply), len(reply[0]["embedding"][0]))}


def error(body, status):
    return {"streamed": False, "error": f"HTTP {status}: {json.loads(body)['error']['message']}"}


def expected(api, body, status):
    return error(body, status) if status >= 400 else api(body)
