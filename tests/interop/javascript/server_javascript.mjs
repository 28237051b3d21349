// The official JavaScript SDK, unchanged, against langfuse-local: what it writes is what it reads back.
//
//     langfuse-local run -- node server_javascript.mjs
//
// Prints a line a failure and `server_javascript: N passed, M failed`.
import assert from "node:assert/strict";
import { LangfuseClient } from "@langfuse/client";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import {
    createTraceId, getActiveTraceId, observe, propagateAttributes, setActiveTraceAsPublic, setActiveTraceIO, startActiveObservation,
    startObservation, updateActiveObservation,
} from "@langfuse/tracing";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const ALL = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context";
const processor = new LangfuseSpanProcessor();
const provider = new NodeTracerProvider({ spanProcessors: [processor] });
provider.register();
const langfuse = new LangfuseClient();
const tests = [];

function test(claim, run) {
    tests.push([claim, run]);
}

async function flush() {
    await processor.forceFlush();
    await langfuse.flush();
}

// The observations of a trace by their names.
async function rows(traceId, query = {}) {
    await flush();
    const { data } = await langfuse.api.observations.getMany({ traceId, fields: ALL, ...query });
    return Object.fromEntries(data.map((row) => [row.name, row]));
}

function onlyOwn(metadata) {
    return Object.fromEntries(Object.entries(metadata).filter(([key]) => !/^(scope|resourceAttributes)\./.test(key)));
}

// ---- Tracing

test("active observations", async () => {
    const traceId = await startActiveObservation("request", async (span) => {
        span.update({ input: { question: "Why?" }, metadata: { plan: "premium", n: 3 } });
        await startActiveObservation("llm-call", async (generation) => {
            generation.update({ model: "llama-of-the-house", modelParameters: { temperature: 0.5 }, input: "in",
                                usageDetails: { input: 10, output: 5 }, costDetails: { input: 0.25, output: 0.5 },
                                completionStartTime: new Date() });
            generation.update({ output: ["a", null, 1.5] });
        }, { asType: "generation" });
        updateActiveObservation({ output: "done", level: "WARNING", statusMessage: "careful", version: "v1" });
        return span.traceId;
    });
    const { request, "llm-call": llm } = await rows(traceId);
    assert.deepEqual([request.type, request.level, request.statusMessage, request.version, request.output],
        ["SPAN", "WARNING", "careful", "v1", "done"]);
    assert.deepEqual(JSON.parse(request.input), { question: "Why?" });
    assert.deepEqual(onlyOwn(request.metadata), { plan: "premium", n: 3 });
    assert.deepEqual([llm.type, llm.parentObservationId, llm.input], ["GENERATION", request.id, "in"]);
    assert.deepEqual(JSON.parse(llm.output), ["a", null, 1.5]);
    assert.deepEqual(llm.usageDetails, { input: 10, output: 5, total: 15 });
    assert.deepEqual(llm.costDetails, { input: 0.25, output: 0.5, total: 0.75 });
    assert.deepEqual(llm.modelParameters, { temperature: 0.5 });
    assert.ok(llm.completionStartTime);
});

test("observed functions", async () => {
    let traceId;
    const call = observe(async (prompt) => "to " + prompt, { name: "llm-call", asType: "generation" });
    const answer = observe(async (question, depth) => {
        traceId = getActiveTraceId();
        return { answer: await call(question), depth };
    }, { name: "answer" });
    assert.deepEqual(await answer("why", 2), { answer: "to why", depth: 2 });
    const found = await rows(traceId);
    assert.deepEqual(JSON.parse(found.answer.input), ["why", 2]);
    assert.deepEqual(JSON.parse(found.answer.output), { answer: "to why", depth: 2 });
    assert.deepEqual([found["llm-call"].type, found["llm-call"].parentObservationId], ["GENERATION", found.answer.id]);
});

test("errors of observed functions", async () => {
    let traceId;
    const fails = observe(async () => {
        traceId = getActiveTraceId();
        throw new Error("disk full");
    }, { name: "fails", asType: "tool" });
    await assert.rejects(fails(), /disk full/);
    const row = (await rows(traceId)).fails;
    assert.deepEqual([row.type, row.level], ["TOOL", "ERROR"]);
    assert.match(row.statusMessage, /disk full/);
});

test("observations by hand", async () => {
    const kinds = ["agent", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail", "generation"];
    const parent = startObservation("parent", { input: "in" });
    for (const kind of kinds)
        parent.startObservation(kind, {}, { asType: kind }).update({ output: kind }).end();
    parent.startObservation("moment", { metadata: { key: "value" } }, { asType: "event" });
    parent.update({ output: "out" }).end();
    const found = await rows(parent.traceId);
    for (const kind of kinds)
        assert.deepEqual([found[kind].type, found[kind].output], [kind.toUpperCase(), kind]);
    assert.deepEqual([found.moment.type, onlyOwn(found.moment.metadata).key], ["EVENT", "value"]);
    assert.equal(found.tool.parentObservationId, found.parent.id);
});

test("attributes of a trace", async () => {
    const traceId = await propagateAttributes({
        userId: "user-7", sessionId: "session-7", tags: ["b", "a"], metadata: { plan: "premium" }, version: "2.0", traceName: "named",
    }, async () => startActiveObservation("outer", async (outer) => {
        setActiveTraceAsPublic();
        setActiveTraceIO({ input: "of the trace", output: "of the trace" });
        outer.startObservation("inner").end();
        return outer.traceId;
    }));
    const found = await rows(traceId);
    for (const row of Object.values(found)) {
        assert.deepEqual([row.userId, row.sessionId, row.version, row.traceName, row.tags.sort()],
            ["user-7", "session-7", "2.0", "named", ["a", "b"]]);
        assert.equal(onlyOwn(row.metadata).plan, "premium");
    }
    assert.equal(found.outer.public, true);
    const trace = await langfuse.api.trace.get(traceId);
    assert.deepEqual([trace.name, trace.userId, trace.sessionId, trace.tags, trace.input], ["named", "user-7", "session-7", ["a", "b"], "of the trace"]);
    const { data } = await langfuse.api.trace.list({ sessionId: "session-7" });
    assert.deepEqual(data.map((one) => one.id), [traceId]);
    assert.deepEqual((await langfuse.api.sessions.get("session-7")).traces.map((one) => one.id), [traceId]);
    assert.equal(await langfuse.getTraceUrl(traceId), `${process.env.LANGFUSE_BASE_URL}/project/local/traces/${traceId}`);
});

test("a trace that began elsewhere", async () => {
    const traceId = await createTraceId("elsewhere");
    startObservation("here", {}, { parentSpanContext: { traceId, spanId: "fedcba0987654321", traceFlags: 1 } }).end();
    const { here } = await rows(traceId);
    assert.equal(here.parentObservationId, "fedcba0987654321");
});

// ---- Reading

test("any fields and pages of observations", async () => {
    const root = startObservation("root", { input: "in", metadata: { long: "m".repeat(300) } });
    for (let i = 0; i < 4; i++)
        root.startObservation(`step-${i}`, {}, { asType: "chain" }).end();
    root.end();
    await flush();
    const read = (query) => langfuse.api.observations.getMany({ traceId: root.traceId, ...query });
    for (const fields of [undefined, "core", "basic", "io", "metadata", "usage", "model,metrics", "trace_context", "unknown"])
        for (const row of (await read({ fields })).data)
            assert.ok(row.id && row.traceId === root.traceId && row.startTime && row.type, `core with fields=${fields}`);
    const names = [];
    for (let cursor; ;) {
        const page = await read({ limit: 2, cursor });
        names.push(...page.data.map((row) => row.name));
        cursor = page.meta.cursor;
        if (!cursor)
            break;
    }
    assert.deepEqual(names.sort(), ["root", "step-0", "step-1", "step-2", "step-3"]);
    assert.equal((await read({ type: "CHAIN" })).data.length, 4);
    const filter = JSON.stringify([{ type: "string", column: "name", operator: "=", value: "step-3" }]);
    assert.deepEqual((await read({ filter })).data.map((row) => row.name), ["step-3"]);
});

test("keys", async () => {
    assert.deepEqual((await langfuse.api.projects.get()).data.map((project) => project.id), ["local"]);
    const wrong = new LangfuseClient({ publicKey: "pk-lf-other", secretKey: "sk-lf-wrong" });
    await assert.rejects(wrong.api.projects.get(), (error) => error.statusCode === 401);
});

// ---- Scores

test("every type of score", async () => {
    const observation = await startActiveObservation("judged", async (span) => {
        langfuse.score.observation(span, { name: "numeric", value: -0.25, dataType: "NUMERIC", comment: "why", metadata: { by: "me" } });
        langfuse.score.trace(span, { name: "categorical", value: "good", dataType: "CATEGORICAL" });
        langfuse.score.activeObservation({ name: "boolean", value: 1, dataType: "BOOLEAN" });
        langfuse.score.activeTrace({ name: "text", value: "free text", dataType: "TEXT" });
        langfuse.score.create({ name: "untyped", value: 0.5, traceId: span.traceId, environment: "qa" });
        langfuse.score.create({ name: "of-session", value: 3, sessionId: "session-9" });
        return span;
    });
    await flush();
    const { data } = await langfuse.api.scoresV3.getManyV3({ traceId: observation.traceId, fields: "core,details,subject" });
    const found = Object.fromEntries(data.map((score) => [score.name, score]));
    assert.deepEqual(Object.fromEntries(data.map((score) => [score.name, [score.dataType, score.value]])), {
        numeric: ["NUMERIC", -0.25], categorical: ["CATEGORICAL", "good"], boolean: ["BOOLEAN", true], text: ["TEXT", "free text"],
        untyped: ["NUMERIC", 0.5],
    });
    assert.deepEqual([found.numeric.comment, found.numeric.metadata, found.untyped.environment], ["why", { by: "me" }, "qa"]);
    assert.deepEqual(found.numeric.subject, { kind: "observation", id: observation.id, traceId: observation.traceId });
    const { data: old } = await langfuse.api.scores.getMany({ sessionId: "session-9" });
    assert.deepEqual(old.map((score) => [score.name, score.value]), [["of-session", 3]]);
});

// ---- Prompts

test("prompts of text", async () => {
    const first = await langfuse.prompt.create({ name: "js-greet", prompt: "Hello {{name}}!", labels: ["production"],
                                                 tags: ["t"], config: { temperature: 0.5 }, commitMessage: "first" });
    assert.deepEqual([first.version, first.labels], [1, ["production", "latest"]]);
    await langfuse.prompt.create({ name: "js-greet", prompt: "Hi {{name}}!", labels: ["staging"] });
    const got = await langfuse.prompt.get("js-greet");
    assert.deepEqual([got.compile({ name: "Ada" }), got.config, got.tags, got.commitMessage],
        ["Hello Ada!", { temperature: 0.5 }, ["t"], "first"]);
    assert.equal((await langfuse.prompt.get("js-greet", { label: "staging" })).compile({ name: "Ada" }), "Hi Ada!");
    assert.equal((await langfuse.prompt.get("js-greet", { version: 1 })).prompt, "Hello {{name}}!");
    await langfuse.prompt.update({ name: "js-greet", version: 2, newLabels: ["production"] });
    assert.equal((await langfuse.prompt.get("js-greet", { cacheTtlSeconds: 0 })).version, 2);
    assert.equal((await langfuse.prompt.get("js-absent", { fallback: "F", maxRetries: 0 })).compile({}), "F");
    await assert.rejects(langfuse.prompt.get("js-absent", { maxRetries: 0 }));
});

test("prompts of messages", async () => {
    await langfuse.prompt.create({ name: "js-folder/chat prompt", type: "chat", labels: ["production"], prompt: [
        { role: "system", content: "You are {{who}}." }, { type: "placeholder", name: "history" }, { role: "user", content: "{{q}}" }] });
    const got = await langfuse.prompt.get("js-folder/chat prompt", { type: "chat" });
    const past = [{ role: "user", content: "before" }];
    assert.deepEqual(got.compile({ who: "wise", q: "Why?" }, { history: past }).map(({ role, content }) => ({ role, content })),
        [{ role: "system", content: "You are wise." }, ...past, { role: "user", content: "Why?" }]);
    const generation = startObservation("uses it", { prompt: got }, { asType: "generation" });
    generation.end();
    const row = (await rows(generation.traceId))["uses it"];
    assert.deepEqual([row.promptName, row.promptVersion, Boolean(row.promptId)], ["js-folder/chat prompt", 1, true]);
    const { data, meta } = await langfuse.api.prompts.list({ name: "js-folder/chat prompt" });
    assert.deepEqual([data[0].versions, data[0].type, meta.totalItems], [[1], "chat", 1]);
    await langfuse.prompt.delete("js-folder/chat prompt");
    assert.equal((await langfuse.api.prompts.list({ name: "js-folder/chat prompt" })).meta.totalItems, 0);
});

let failed = 0;
for (const [claim, run] of tests) {
    try {
        await run();
    } catch (error) {
        failed++;
        console.log(`server_javascript: ${claim}: ${error.stack.slice(0, 1200)}`);
    }
}
await provider.shutdown();
await langfuse.shutdown();
console.log(`server_javascript: ${tests.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
