// Chat completions.
import assert from "node:assert/strict";
import { all_of, serve, storyteller, tale, test_openai, user, wait_until } from "./support.mjs";

const one = serve("-m", `story=${storyteller}`, "-m", `other=${storyteller}`);
const asked = { model: "story", messages: tale, max_tokens: 40, seed: 7 };

test_openai(one, "a chat is answered as a whole", async (client) => {
  const answer = await client.chat.completions.create(asked);
  assert.equal(answer.object, "chat.completion");
  assert.match(answer.id, /^chatcmpl-/);
  assert.equal(answer.model, "story");
  assert.match(answer.system_fingerprint, /^troupe-/);
  assert.ok(Math.abs(answer.created - Date.now() / 1000) < 60);
  assert.equal(answer.choices.length, 1);
  const { index, message, finish_reason, logprobs } = answer.choices[0];
  assert.deepEqual([index, message.role, finish_reason, logprobs, message.refusal], [0, "assistant", "length", null, null]);
  assert.ok(message.content.length > 40);
  assert.equal(answer.usage.completion_tokens, 40);
  assert.ok(answer.usage.prompt_tokens > 3);
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + 40);
});

test_openai(one, "a stream's pieces make the same text", async (client) => {
  const whole = await client.chat.completions.create(asked);
  const chunks = await all_of(await client.chat.completions.create({ ...asked, stream: true }));
  assert.equal(chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join(""), whole.choices[0].message.content);
  assert.equal(chunks[0].choices[0].delta.role, "assistant");
  assert.deepEqual(chunks.map((chunk) => chunk.choices[0].finish_reason).filter((reason) => reason), ["length"]);
  assert.equal(chunks.at(-1).choices[0].finish_reason, "length");
  assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
  assert.ok(chunks.length > 20);
  for (const chunk of chunks) assert.deepEqual([chunk.object, chunk.model, chunk.usage], ["chat.completion.chunk", "story", undefined]);
});

test_openai(one, "a stream ends with the usage, if that is asked for", async (client) => {
  const whole = await client.chat.completions.create(asked);
  const chunks = await all_of(await client.chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } }));
  const last = chunks.pop();
  assert.deepEqual(last.choices, []);
  assert.deepEqual([last.usage.prompt_tokens, last.usage.completion_tokens], [whole.usage.prompt_tokens, whole.usage.completion_tokens]);
  for (const chunk of chunks) assert.equal(chunk.usage, null);
});

test_openai(one, "the client's helper for streams puts together what is answered as a whole", async (client) => {
  const whole = await client.chat.completions.create(asked);
  const runner = client.chat.completions.stream({ ...asked, stream_options: { include_usage: true } });
  const pieces = [];
  runner.on("content", (piece) => pieces.push(piece));
  const final = await runner.finalChatCompletion();
  assert.equal(final.choices[0].message.content, whole.choices[0].message.content);
  assert.equal(pieces.join(""), whole.choices[0].message.content);
  assert.equal(final.choices[0].finish_reason, "length");
  assert.equal(final.usage.completion_tokens, 40);
});

test_openai(one, "n choices differ, and are the same as a stream", async (client) => {
  const whole = await client.chat.completions.create({ ...asked, n: 3 });
  const texts = whole.choices.map((choice) => choice.message.content);
  assert.deepEqual(whole.choices.map((choice) => choice.index), [0, 1, 2]);
  assert.equal(new Set(texts).size, 3);
  assert.equal(whole.usage.completion_tokens, 120);
  const alone = await client.chat.completions.create(asked);
  assert.equal(texts[0], alone.choices[0].message.content);
  assert.equal(whole.usage.prompt_tokens, alone.usage.prompt_tokens);
  const streamed = ["", "", ""];
  for await (const chunk of await client.chat.completions.create({ ...asked, n: 3, stream: true }))
    for (const { index, delta } of chunk.choices) streamed[index] += delta.content ?? "";
  assert.deepEqual(streamed, texts);
});

test_openai(one, "logprobs are there for every token, also in a stream", async (client) => {
  const wanted = { ...asked, temperature: 0, logprobs: true, top_logprobs: 3 };
  const whole = await client.chat.completions.create(wanted);
  const { content } = whole.choices[0].logprobs;
  assert.equal(content.length, whole.usage.completion_tokens);
  assert.equal(content.map((entry) => entry.token).join(""), whole.choices[0].message.content);
  for (const entry of content) {
    assert.equal(Buffer.from(entry.bytes).toString(), entry.token);
    assert.ok(entry.logprob <= 0);
    assert.equal(entry.top_logprobs.length, 3);
    assert.deepEqual([entry.top_logprobs[0].token, entry.top_logprobs[0].logprob], [entry.token, entry.logprob]); // The likeliest.
    assert.ok(entry.top_logprobs[0].logprob >= entry.top_logprobs[1].logprob);
    assert.ok(entry.top_logprobs.reduce((sum, top) => sum + Math.exp(top.logprob), 0) < 1.0001);
  }
  const streamed = [];
  for await (const chunk of await client.chat.completions.create({ ...wanted, stream: true }))
    streamed.push(...(chunk.choices[0].logprobs?.content ?? []));
  assert.deepEqual(streamed, content);
});

test_openai(one, "a text ends before a stop string", async (client) => {
  const whole = (await client.chat.completions.create(asked)).choices[0].message.content;
  const stop = whole.slice(30, 36);
  const expected = whole.slice(0, whole.indexOf(stop));
  for (const form of [stop, ["never said", stop]]) {
    const answer = await client.chat.completions.create({ ...asked, stop: form });
    assert.deepEqual([answer.choices[0].message.content, answer.choices[0].finish_reason], [expected, "stop"]);
  }
  const runner = client.chat.completions.stream({ ...asked, stop });
  assert.equal(await runner.finalContent(), expected);
});

test_openai(one, "the same seed gives the same text, alone and among many others", async (client) => {
  const alone = (await client.chat.completions.create(asked)).choices[0].message.content;
  const same = [], others = [];
  for (let i = 0; i < 16; ++i) {
    same.push(client.chat.completions.create(asked));
    others.push(client.chat.completions.create({ ...asked, max_tokens: 5 * i + 1, seed: i + 100, messages: [user("Once ".repeat(i + 1))] }));
  }
  for (const answer of await Promise.all(same)) assert.equal(answer.choices[0].message.content, alone);
  await Promise.all(others);
  const other = await client.chat.completions.create({ ...asked, seed: 8 });
  assert.notEqual(other.choices[0].message.content, alone);
  const other_model = await client.chat.completions.create({ ...asked, model: "other" });
  assert.equal(other_model.choices[0].message.content, alone); // It has the same weights.
});

test_openai(one, "without a seed texts differ; at temperature 0 they never do", async (client) => {
  const text_of = async (more) => (await client.chat.completions.create({ ...asked, ...more })).choices[0].message.content;
  assert.notEqual(await text_of({ seed: undefined }), await text_of({ seed: undefined }));
  assert.equal(await text_of({ temperature: 0, seed: 1 }), await text_of({ temperature: 0, seed: 2 }));
  assert.equal(await text_of({ top_p: 0, seed: 1 }), await text_of({ temperature: 0 }));
});

test_openai(one, "logit_bias forbids a token, or makes it the only one", async (client) => {
  const greedy = { ...asked, temperature: 0, max_tokens: 4, logprobs: true };
  const first_of = (answer) => answer.choices[0].logprobs.content[0].token;
  const likeliest = first_of(await client.chat.completions.create(greedy));
  const id_of = async (text) => {
    const { body } = await one.post("/tokenize", { content: text, add_special: false, with_pieces: true });
    return body.tokens[body.token_strs.indexOf(text)];
  };
  const forbidden = await client.chat.completions.create({ ...greedy, logit_bias: { [await id_of(likeliest)]: -100 } });
  assert.notEqual(first_of(forbidden), likeliest);
  const { body } = await one.post("/tokenize", { content: "Once upon a time there was", add_special: false, with_pieces: true });
  const only = await client.chat.completions.create({ ...greedy, logit_bias: { [body.tokens.at(-1)]: 100 } });
  assert.equal(only.choices[0].message.content, body.token_strs.at(-1).repeat(4));
});

test_openai(one, "content may come in parts, instructions as developer or system", async (client) => {
  const text_of = async (messages) => (await client.chat.completions.create({ ...asked, messages })).choices[0].message.content;
  const expected = await text_of([{ role: "system", content: "Be brief." }, user("Tell me a story.")]);
  const parts = [{ type: "text", text: "Tell me " }, { type: "text", text: "a story." }];
  assert.equal(await text_of([{ role: "developer", content: "Be brief." }, user(parts)]), expected);
  assert.notEqual(await text_of(tale), expected);
});

test_openai(one, "an answer has a request id", async (client) => {
  const { data, response, request_id } = await client.chat.completions.create(asked).withResponse();
  assert.equal(data.object, "chat.completion");
  assert.ok(request_id.length > 8);
  assert.equal(response.headers.get("x-request-id"), request_id);
  assert.equal(data._request_id, request_id);
});

test_openai(one, "a client that aborts a stream frees its sequence at once", async (client, OpenAI) => {
  const cancelled = 'troupe_sequences_ended_total{model_name="story",reason="cancelled"}';
  const before = await one.metric(cancelled);
  const runner = client.chat.completions.stream({ ...asked, max_tokens: 450, ignore_eos: true });
  runner.once("content", () => runner.abort());
  await assert.rejects(runner.done(), OpenAI.APIUserAbortError);
  await wait_until(async () => (await one.metric(cancelled)) === before + 1, "the sequence is cancelled", 1000);
  assert.equal(await one.metric('vllm:num_requests_running{model_name="story"}'), 0);
  // Before the first byte, too.
  const stop = new AbortController();
  const promise = client.chat.completions.create({ ...asked, max_tokens: 450, ignore_eos: true }, { signal: stop.signal });
  setTimeout(() => stop.abort(), 20);
  await assert.rejects(promise, OpenAI.APIUserAbortError);
  await wait_until(async () => (await one.metric(cancelled)) === before + 2, "the sequence is cancelled", 1000);
});
