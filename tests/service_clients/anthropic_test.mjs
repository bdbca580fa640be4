// Anthropic's Messages API.
import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { all_of, serve, storyteller, tale, user, wait_until } from "./support.mjs";

const one = serve("-m", `story=${storyteller}`);
const asked = { model: "story", max_tokens: 30, messages: tale, seed: 3 };
const make = () => new Anthropic({ baseURL: one.url, apiKey: "none", maxRetries: 0 });
const weather = {
  name: "weather",
  description: "The weather of a city",
  input_schema: { type: "object", properties: { city: { enum: ["Paris", "Rome"] }, days: { type: "integer", minimum: 1, maximum: 9 } },
                  required: ["city", "days"], additionalProperties: false },
};

test("a message is answered as a whole", async () => {
  const { data: message, response, request_id } = await make().messages.create(asked).withResponse();
  assert.match(message.id, /^msg_/);
  assert.deepEqual([message.type, message.role, message.model], ["message", "assistant", "story"]);
  assert.deepEqual([message.stop_reason, message.stop_sequence, message.usage.output_tokens], ["max_tokens", null, 30]);
  assert.deepEqual(message.content.map((block) => block.type), ["text"]);
  assert.ok(message.content[0].text.length > 20);
  assert.ok(request_id.length > 8);
  assert.equal(response.headers.get("request-id"), request_id);
  const story = await make().messages.create({ ...asked, max_tokens: 480 });
  assert.equal(story.stop_reason, "end_turn");
});

test("the client's helper for streams puts together what is answered as a whole", async () => {
  const whole = await make().messages.create(asked);
  const stream = make().messages.stream(asked);
  const pieces = [];
  stream.on("text", (piece) => pieces.push(piece));
  const final = await stream.finalMessage();
  assert.equal(pieces.join(""), whole.content[0].text);
  assert.deepEqual(final.content.map((block) => block.text), [whole.content[0].text]);
  assert.deepEqual([final.stop_reason, final.usage.output_tokens], ["max_tokens", 30]);
});

test("a stream has all events in order", async () => {
  const events = await all_of(await make().messages.create({ ...asked, stream: true }));
  const types = events.map((event) => event.type), deltas = types.filter((type) => type === "content_block_delta");
  assert.ok(deltas.length > 15);
  assert.deepEqual(types.filter((type) => type !== "ping"),
    ["message_start", "content_block_start", ...deltas, "content_block_stop", "message_delta", "message_stop"]);
  assert.ok(events[0].message.usage.input_tokens > 3);
});

test("tokens are counted before they are sent", async () => {
  const { input_tokens } = await make().messages.countTokens({ model: "story", messages: tale, system: "Be brief." });
  const message = await make().messages.create({ ...asked, system: "Be brief." });
  const { usage } = message;
  assert.equal(usage.input_tokens + usage.cache_read_input_tokens, input_tokens);
});

test("a system prompt counts, as a text or in blocks", async () => {
  const text_of = async (more) => (await make().messages.create({ ...asked, ...more })).content[0].text;
  const expected = await text_of({ system: "Be brief." });
  assert.equal(await text_of({ system: [{ type: "text", text: "Be brief." }] }), expected);
  assert.notEqual(await text_of({}), expected);
  const chat = await one.post("/v1/chat/completions", { ...asked, messages: [{ role: "system", content: "Be brief." }, ...tale] });
  assert.equal(chat.body.choices[0].message.content, expected);
});

test("a message says which stop sequence ended it", async () => {
  const { text } = (await make().messages.create(asked)).content[0];
  const stop = text.slice(30, 36);
  for (const stop_sequences of [[stop], ["never said", stop, "nor that"]]) {
    const message = await make().messages.create({ ...asked, stop_sequences });
    assert.deepEqual([message.stop_reason, message.stop_sequence], ["stop_sequence", stop]);
    assert.equal(message.content[0].text, text.slice(0, text.indexOf(stop)));
    const streamed = await make().messages.stream({ ...asked, stop_sequences }).finalMessage();
    assert.deepEqual([streamed.stop_reason, streamed.stop_sequence, streamed.content[0].text], ["stop_sequence", stop, message.content[0].text]);
  }
});

test("a tool that has to be called is called with arguments of its schema, also in a stream", async () => {
  for (const tool_choice of [{ type: "any" }, { type: "tool", name: "weather" }]) {
    const wanted = { ...asked, max_tokens: 200, tools: [weather], tool_choice };
    const message = await make().messages.create(wanted);
    assert.equal(message.stop_reason, "tool_use");
    const [call] = message.content;
    assert.deepEqual([message.content.length, call.type, call.name], [1, "tool_use", "weather"]);
    assert.ok(["Paris", "Rome"].includes(call.input.city) && call.input.days >= 1 && call.input.days <= 9);
    const streamed = await make().messages.stream(wanted).finalMessage();
    assert.deepEqual([streamed.content[0].input, streamed.stop_reason], [call.input, "tool_use"]);
  }
});

test("a conversation goes on with the result of a tool", async () => {
  const messages = [
    ...tale,
    { role: "assistant", content: [{ type: "text", text: "Let me look." }, { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Rome", days: 1 } }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: [{ type: "text", text: "sunny" }] }] },
  ];
  const message = await make().messages.create({ ...asked, messages, tools: [weather] });
  assert.equal(message.content[0].type, "text");
});

test("a client that aborts a stream frees its sequence at once", async () => {
  const stream = make().messages.stream({ ...asked, messages: [user("Go on.")], max_tokens: 450, ignore_eos: true });
  stream.once("text", () => stream.abort());
  await assert.rejects(stream.done(), Anthropic.APIUserAbortError);
  await wait_until(async () => (await one.metric('troupe_sequences_ended_total{model_name="story",reason="cancelled"}')) === 1, "it is cancelled", 1000);
});

test("the models are listed", async () => {
  assert.deepEqual((await all_of(make().models.list())).map((model) => model.id), ["story"]);
  assert.equal((await make().models.retrieve("story")).display_name, "story");
});
