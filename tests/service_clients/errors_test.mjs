// What clients throw when something is wrong, and what they do by themselves when a server is busy.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { all_of, serve, storyteller, tale, temporary_folder, test_openai, user, wait_until } from "./support.mjs";

const folder = temporary_folder(), keys = join(folder, "keys");
writeFileSync(keys, "key-of-ann name=ann\nkey-of-bob name=bob requests=1\n");
const one = serve("-m", `story=${storyteller}`);
const locked = serve("-m", `story=${storyteller}`, "--api-key-file", keys);
const full = serve("-m", `story=${storyteller}`, "--parallel", "1", "--max-waiting", "0");
const hurried = serve("-m", `story=${storyteller}`, "--parallel", "1", "--max-wait", "0");
const asked = { model: "story", messages: tale, max_tokens: 20, seed: 1 };
const long = { ...asked, max_tokens: 450, ignore_eos: true };

/// That a promise fails with an error of this class and with these properties.
async function fails(promise, kind, properties) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.constructor.name, kind.name);
    for (const [name, value] of Object.entries(properties)) assert.deepEqual(error[name], value, `${name} of ${error.message}`);
    return true;
  });
}

/// That a client is told when to try again, in all ways.
function is_overload(error, OpenAI) {
  assert.ok(error instanceof OpenAI.RateLimitError, error.message);
  assert.deepEqual([error.status, error.code, error.type], [429, "overloaded", "rate_limit_error"]);
  assert.ok(Number(error.headers.get("retry-after-ms")) > 0);
  assert.ok(Number(error.headers.get("retry-after")) >= 1);
  assert.equal(error.headers.get("x-should-retry"), "true");
  return true;
}

test_openai(one, "an unknown model is not found", async (client, OpenAI) => {
  const expected = { status: 404, code: "model_not_found", param: "model", type: "invalid_request_error" };
  await fails(client.chat.completions.create({ ...asked, model: "gpt-4o" }), OpenAI.NotFoundError, expected);
  await fails(client.completions.create({ model: "gpt-4o", prompt: "x" }), OpenAI.NotFoundError, expected);
  await fails(client.responses.create({ model: "gpt-4o", input: "x" }), OpenAI.NotFoundError, expected);
  await fails(client.embeddings.create({ model: "gpt-4o", input: "x" }), OpenAI.NotFoundError, expected);
});

test_openai(one, "a wrong field is named", async (client, OpenAI) => {
  const wrong = async (more, param) => await fails(client.chat.completions.create({ ...asked, ...more }), OpenAI.BadRequestError, { status: 400, param });
  await wrong({ temperature: 9 }, "temperature");
  await wrong({ max_tokens: "many" }, "max_tokens");
  await wrong({ stop: [1] }, "stop[0]");
  await wrong({ messages: [{ role: "wizard", content: "x" }] }, "messages[0].role");
  await wrong({ messages: [] }, "messages");
  await wrong({ logit_bias: { 5: 1000 } }, "logit_bias.5");
  await wrong({ top_logprobs: 2 }, "top_logprobs");
  await wrong({ n: 0 }, "n");
  await wrong({ messages: [user([{ type: "image_url", image_url: { url: "x" } }])] }, "messages[0].content[0].type");
  await wrong({ tools: [{ type: "web_search" }] }, "tools[0].type");
});

test_openai(one, "a prompt that is too long says so", async (client, OpenAI) => {
  const expected = { status: 400, code: "context_length_exceeded" };
  await fails(client.chat.completions.create({ ...asked, messages: [user("dog ".repeat(600))] }), OpenAI.BadRequestError, expected);
  await fails(client.completions.create({ model: "story", prompt: "dog ".repeat(60000) }), OpenAI.BadRequestError, expected);
});

test_openai(one, "a request that is not done by its deadline ends, and is not tried again", async (client, OpenAI) => {
  let requests = 0;
  const counted = one.openai(OpenAI, { maxRetries: 2, fetch: (...given) => (++requests, fetch(...given)) });
  const promise = counted.chat.completions.create({ ...long, deadline_ms: 20 });
  await assert.rejects(promise, (error) => error instanceof OpenAI.APIError && error.status === 408 && error.code === "deadline_exceeded");
  assert.equal(requests, 1);
});

test_openai(one, "a stream that fails on its way throws what went wrong", async (client, OpenAI) => {
  const is_late = (error) => error instanceof OpenAI.APIError && error.code === "deadline_exceeded";
  const late = { ...long, deadline_ms: 30 };
  await assert.rejects(client.chat.completions.create({ ...late, stream: true }).then(all_of), is_late);
  await assert.rejects(client.chat.completions.stream(late).finalContent(), is_late);
  const response = { model: "story", input: "Tell me a story.", max_output_tokens: 450, ignore_eos: true, deadline_ms: 30 };
  const events = await all_of(await client.responses.create({ ...response, stream: true }));
  assert.deepEqual([events.at(-1).type, events.at(-1).response.error.code], ["response.failed", "deadline_exceeded"]);
  assert.equal((await client.responses.retrieve(events[0].response.id)).status, "failed");
});

test_openai(one, "a request is cancelled by its name, or by its request id", async (client) => {
  for (const name_of of [(chunk) => chunk.id, (_, request_id) => request_id]) {
    const { data: stream, request_id } = await client.chat.completions.create({ ...long, stream: true }).withResponse();
    const chunks = [];
    for await (const chunk of stream) {
      chunks.push(chunk);
      if (chunks.length === 5) {
        const name = name_of(chunk, request_id);
        const { status, body } = await one.delete(`/v1/requests/${name}`);
        assert.deepEqual([status, body], [200, { id: name, cancelled: true }]);
      }
    }
    assert.equal(chunks.at(-1).choices[0].finish_reason, "abort");
    assert.ok(chunks.length < 440);
  }
  assert.equal((await one.delete("/v1/requests/none")).status, 404);
});

test_openai(locked, "who has no key is not let in", async (client, OpenAI) => {
  await fails(client.chat.completions.create(asked), OpenAI.AuthenticationError, { status: 401, code: "invalid_api_key" });
  await fails(client.models.list(), OpenAI.AuthenticationError, { status: 401 });
  const known = locked.openai(OpenAI, { apiKey: "key-of-ann" });
  assert.equal((await known.chat.completions.create(asked)).usage.completion_tokens, 20);
  const response = await known.responses.create({ model: "story", input: "x", max_output_tokens: 5 });
  const other = locked.openai(OpenAI, { apiKey: "key-of-bob" });
  await fails(other.responses.retrieve(response.id), OpenAI.NotFoundError, { status: 404 });
});

test_openai(locked, "a key has no more requests under way than it may have", async (_, OpenAI) => {
  const client = locked.openai(OpenAI, { apiKey: "key-of-bob" });
  const stream = await client.chat.completions.create({ ...long, stream: true });
  await fails(client.chat.completions.create(asked), OpenAI.RateLimitError, { status: 429, code: "too_many_requests" });
  await all_of(stream);
  assert.equal((await client.chat.completions.create(asked)).usage.completion_tokens, 20);
});

test_openai(full, "a server where nobody may wait says when to come again, and a client that does so is served", async (client, OpenAI) => {
  const runs = await client.chat.completions.create({ ...long, stream: true });
  await Promise.all(Array.from({ length: 6 }, () => assert.rejects(client.chat.completions.create(asked), (error) => is_overload(error, OpenAI))));
  await all_of(runs);
  // With the retries that clients have by default.
  const patient = full.openai(OpenAI, { maxRetries: undefined });
  const other = await client.chat.completions.create({ ...long, max_tokens: 60, stream: true });
  const [answer] = await Promise.all([patient.chat.completions.create(asked), all_of(other)]);
  assert.equal(answer.usage.completion_tokens, 20);
});

test_openai(hurried, "a request that would wait too long is refused as an overload, one that need not wait is served", async (client, OpenAI) => {
  const outcomes = Array.from({ length: 100 }, () => client.chat.completions.create(long).then(() => "served", (error) => is_overload(error, OpenAI)));
  const seen = await Promise.all(outcomes);
  assert.ok(seen.includes("served") && seen.includes(true), String(seen));
  assert.equal((await client.chat.completions.create(asked)).usage.completion_tokens, 20);
});

test("Anthropic's client knows errors by their class", async () => {
  const client = new Anthropic({ baseURL: one.url, apiKey: "none", maxRetries: 0 });
  const message = { model: "story", max_tokens: 10, messages: tale };
  const kind = (type) => (error) => error.error.type === "error" && error.error.error.type === type;
  await assert.rejects(client.messages.create({ ...message, model: "claude" }), (error) => error instanceof Anthropic.NotFoundError && kind("not_found_error")(error));
  await assert.rejects(client.messages.create({ ...message, max_tokens: undefined }), (error) =>
    error instanceof Anthropic.BadRequestError && kind("invalid_request_error")(error) && error.message.includes("max_tokens"));
  const stranger = new Anthropic({ baseURL: locked.url, apiKey: "none", maxRetries: 0 });
  await assert.rejects(stranger.messages.create(message), (error) => error instanceof Anthropic.AuthenticationError && kind("authentication_error")(error));
  const ann = new Anthropic({ baseURL: locked.url, apiKey: "key-of-ann" });
  assert.equal((await ann.messages.create(message)).type, "message");
  const late = client.messages.stream({ ...message, max_tokens: 450, ignore_eos: true, deadline_ms: 30 });
  await assert.rejects(late.finalMessage(), (error) => error instanceof Anthropic.APIError && kind("timeout_error")(error));
  const impatient = new Anthropic({ baseURL: full.url, apiKey: "none", maxRetries: 0 });
  const runs = impatient.messages.stream({ ...message, max_tokens: 300, ignore_eos: true });
  await new Promise((resolve) => runs.once("text", resolve));
  await assert.rejects(impatient.messages.create(message), (error) => error instanceof Anthropic.RateLimitError && kind("rate_limit_error")(error));
  await runs.finalMessage();
});

test("what is no request gets one clear error", async () => {
  const bad = await one.fetch("/v1/chat/completions", { method: "POST", body: "{" });
  assert.equal(bad.status, 400);
  assert.equal((await bad.json()).error.code, "invalid_json");
  const lost = await one.fetch("/v1/nothing");
  assert.deepEqual([lost.status, (await lost.json()).error.code], [404, "not_found"]);
  await wait_until(async () => (await one.metric('vllm:num_requests_running{model_name="story"}')) === 0, "nothing runs", 1000);
});
