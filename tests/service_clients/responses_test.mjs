// The Responses API.
import assert from "node:assert/strict";
import { all_of, serve, storyteller, test_openai, wait_until } from "./support.mjs";

const one = serve("-m", `story=${storyteller}`);
const asked = { model: "story", input: "Tell me a story.", max_output_tokens: 30, seed: 3 };
const long = { ...asked, max_output_tokens: 450, ignore_eos: true };

test_openai(one, "a response is created, and can be asked for again", async (client) => {
  const made = await client.responses.create(asked);
  assert.match(made.id, /^resp_/);
  assert.deepEqual([made.object, made.model, made.error, made.store], ["response", "story", null, true]);
  assert.deepEqual([made.status, made.incomplete_details], ["incomplete", { reason: "max_output_tokens" }]);
  assert.ok(made.output_text.length > 20);
  assert.deepEqual([made.output.length, made.output[0].type, made.output[0].role], [1, "message", "assistant"]);
  assert.equal(made.output[0].content[0].text, made.output_text);
  assert.equal(made.usage.output_tokens, 30);
  assert.equal(made.usage.total_tokens, made.usage.input_tokens + 30);
  const again = await client.responses.retrieve(made.id);
  assert.deepEqual([again.output, again.status, again.output_text], [made.output, made.status, made.output_text]);
  const items = await client.responses.inputItems.list(made.id);
  assert.deepEqual(items.data.map((item) => [item.role, item.content[0].text]), [["user", "Tell me a story."]]);
  const story = await client.responses.create({ ...asked, max_output_tokens: 480 });
  assert.deepEqual([story.status, story.incomplete_details], ["completed", null]);
});

test_openai(one, "a stream has all events in order, their numbers without a gap", async (client) => {
  const whole = await client.responses.create(asked);
  const events = await all_of(await client.responses.create({ ...asked, stream: true }));
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, i) => i));
  const types = events.map((event) => event.type.replace("response.", ""));
  const deltas = types.filter((type) => type === "output_text.delta");
  assert.ok(deltas.length > 15);
  assert.deepEqual(types, ["created", "in_progress", "output_item.added", "content_part.added", ...deltas, "output_text.done",
    "content_part.done", "output_item.done", "incomplete"]);
  const text = events.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta).join("");
  assert.equal(text, whole.output_text);
  assert.equal(events.find((event) => event.type === "response.output_text.done").text, text);
  assert.equal(events.at(-1).response.output[0].content[0].text, text);
  assert.equal(events.at(-1).response.usage.output_tokens, 30);
  const items = new Set(events.filter((event) => event.item_id).map((event) => event.item_id));
  assert.deepEqual([...items], [events.at(-1).response.output[0].id]);
});

test_openai(one, "the client's helper for streams puts the response together", async (client) => {
  const whole = await client.responses.create(asked);
  const final = await client.responses.stream(asked).finalResponse();
  assert.equal(final.output_text, whole.output_text);
  assert.equal(final.status, "incomplete");
});

test_openai(one, "the events of a response come again, also from the middle", async (client) => {
  const events = await all_of(await client.responses.create({ ...asked, stream: true }));
  const { id } = events[0].response;
  assert.deepEqual(await all_of(await client.responses.retrieve(id, { stream: true })), events);
  const rest = await all_of(await client.responses.retrieve(id, { stream: true, starting_after: 10 }));
  assert.deepEqual(rest, events.slice(11));
});

test_openai(one, "a response goes on where a previous one ended", async (client) => {
  const first = await client.responses.create({ ...asked, instructions: "Be kind." });
  const next = await client.responses.create({ ...asked, previous_response_id: first.id, input: "Go on." });
  const said = [{ role: "user", content: asked.input }, { role: "assistant", content: first.output_text }, { role: "user", content: "Go on." }];
  const by_hand = await client.responses.create({ ...asked, input: said });
  assert.equal(next.previous_response_id, first.id);
  assert.deepEqual([next.output_text, next.usage.input_tokens], [by_hand.output_text, by_hand.usage.input_tokens]);
  assert.ok(next.usage.input_tokens > first.usage.input_tokens);
  const chat = await client.chat.completions.create({ model: "story", messages: said, max_tokens: 30, seed: 3 });
  assert.equal(next.output_text, chat.choices[0].message.content);
});

test_openai(one, "in the background a response is made without anybody listening", async (client) => {
  const expected = (await client.responses.create(asked)).output_text;
  let made = await client.responses.create({ ...asked, background: true });
  assert.ok(["queued", "in_progress"].includes(made.status));
  assert.equal(made.background, true);
  await wait_until(async () => {
    made = await client.responses.retrieve(made.id);
    return made.status !== "in_progress";
  }, "the response has ended");
  assert.deepEqual([made.status, made.output_text], ["incomplete", expected]);
});

test_openai(one, "who lost the stream of a background response takes it up again where it broke", async (client) => {
  const wanted = { ...long, background: true, stream: true };
  const whole = await all_of(await client.responses.create(wanted));
  const seen = [], stop = new AbortController();
  for await (const event of await client.responses.create(wanted, { signal: stop.signal })) {
    seen.push(event);
    if (seen.length === 20) break;
  }
  stop.abort();
  const { id } = seen[0].response;
  seen.push(...(await all_of(await client.responses.retrieve(id, { stream: true, starting_after: seen.at(-1).sequence_number }))));
  const text_of = (events) => events.map((event) => (event.type === "response.output_text.delta" ? event.delta : "")).join("");
  assert.deepEqual(seen.map((event) => event.sequence_number), seen.map((_, i) => i));
  assert.equal(text_of(seen), text_of(whole));
  assert.equal(seen.at(-1).response.usage.output_tokens, 450);
});

test_openai(one, "a response under way is cancelled", async (client) => {
  const made = await client.responses.create({ ...long, background: true });
  const cancelled = await client.responses.cancel(made.id);
  assert.deepEqual([cancelled.id, cancelled.status], [made.id, "cancelled"]);
  assert.ok(cancelled.usage.output_tokens < 450);
  assert.equal((await client.responses.retrieve(made.id)).status, "cancelled");
});

test_openai(one, "a deleted response is gone, and one that was not to be stored never was there", async (client, OpenAI) => {
  const made = await client.responses.create(asked);
  await client.responses.delete(made.id);
  const private_one = await client.responses.create({ ...asked, store: false });
  const under_way = await client.responses.create({ ...long, background: true });
  await client.responses.delete(under_way.id);
  for (const { id } of [made, private_one, under_way]) {
    await assert.rejects(client.responses.retrieve(id), OpenAI.NotFoundError);
    await assert.rejects(client.responses.create({ ...asked, previous_response_id: id }), OpenAI.BadRequestError);
  }
  await wait_until(async () => (await one.metric('vllm:num_requests_running{model_name="story"}')) === 0, "nothing runs", 1000);
});

test_openai(one, "logprobs are there if they are asked for", async (client) => {
  const made = await client.responses.create({ ...asked, include: ["message.output_text.logprobs"], top_logprobs: 2 });
  const { text, logprobs } = made.output[0].content[0];
  assert.equal(logprobs.map((entry) => entry.token).join(""), text);
  assert.equal(logprobs[0].top_logprobs.length, 2);
});
