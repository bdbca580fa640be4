// Completions.
import assert from "node:assert/strict";
import { all_of, serve, storyteller, test_openai } from "./support.mjs";

const one = serve("-m", `story=${storyteller}`);
const prompt = "Once upon a time", second = "The old lamp";
const asked = { model: "story", prompt, max_tokens: 24, seed: 5 };
const text_of = async (client, more = {}) => (await client.completions.create({ ...asked, ...more })).choices[0].text;
const ids_of = async (content) => (await one.post("/tokenize", { content })).body.tokens;

test_openai(one, "a text is continued, by 16 tokens unless it is said otherwise", async (client) => {
  const answer = await client.completions.create(asked);
  assert.deepEqual([answer.object, answer.model, answer.choices.length], ["text_completion", "story", 1]);
  const { text, index, finish_reason, logprobs } = answer.choices[0];
  assert.deepEqual([index, finish_reason, logprobs], [0, "length", null]);
  assert.ok(text.length > 20);
  assert.equal(answer.usage.prompt_tokens, (await ids_of(prompt)).length);
  assert.equal(answer.usage.completion_tokens, 24);
  assert.equal((await client.completions.create({ model: "story", prompt })).usage.completion_tokens, 16);
});

test_openai(one, "token ids are taken as a prompt like their text", async (client) => {
  const ids = await ids_of(prompt);
  assert.equal(await text_of(client, { prompt: ids }), await text_of(client));
  assert.equal((await one.post("/detokenize", { tokens: ids })).body.content.includes(prompt), true);
});

test_openai(one, "several prompts, texts or ids, with n choices each, are answered as if each were alone", async (client) => {
  const alone = await client.completions.create({ ...asked, n: 2 });
  const alone_second = await client.completions.create({ ...asked, prompt: second, n: 2 });
  const expected = [...alone.choices, ...alone_second.choices].map((choice) => choice.text);
  assert.equal(new Set(expected).size, 4);
  for (const prompts of [[prompt, second], [await ids_of(prompt), await ids_of(second)]]) {
    const answer = await client.completions.create({ ...asked, prompt: prompts, n: 2 });
    assert.deepEqual(answer.choices.map((choice) => choice.index), [0, 1, 2, 3]);
    assert.deepEqual(answer.choices.map((choice) => choice.text), expected);
    assert.equal(answer.usage.prompt_tokens, alone.usage.prompt_tokens + alone_second.usage.prompt_tokens);
    assert.equal(answer.usage.completion_tokens, 96);
  }
  const streamed = ["", "", "", ""];
  for await (const chunk of await client.completions.create({ ...asked, prompt: [prompt, second], n: 2, stream: true }))
    for (const { index, text } of chunk.choices) streamed[index] += text;
  assert.deepEqual(streamed, expected);
});

test_openai(one, "echo puts the prompt before the text, also in a stream", async (client) => {
  const text = await text_of(client);
  assert.equal(await text_of(client, { echo: true }), prompt + text);
  const chunks = await all_of(await client.completions.create({ ...asked, echo: true, stream: true }));
  assert.equal(chunks.map((chunk) => chunk.choices[0].text).join(""), prompt + text);
});

test_openai(one, "logprobs say what else was likely, and where each token is in the text", async (client) => {
  const { text, logprobs } = (await client.completions.create({ ...asked, logprobs: 2, temperature: 0 })).choices[0];
  assert.equal(logprobs.tokens.join(""), text);
  assert.equal(logprobs.tokens.length, 24);
  logprobs.tokens.forEach((token, i) => {
    assert.ok(text.startsWith(token, logprobs.text_offset[i]));
    const top = Object.entries(logprobs.top_logprobs[i]);
    assert.equal(top.length, 2);
    assert.deepEqual(top[0], [token, logprobs.token_logprobs[i]]);
    assert.ok(top[1][1] <= top[0][1]);
  });
  const streamed = [];
  for await (const chunk of await client.completions.create({ ...asked, logprobs: 2, temperature: 0, stream: true }))
    streamed.push(...chunk.choices[0].logprobs.tokens);
  assert.deepEqual(streamed, logprobs.tokens);
});

test_openai(one, "places in a text are counted in characters", async (client) => {
  const { text, logprobs } = (await client.completions.create({ ...asked, regex: "[éü]{12}", logprobs: 0 })).choices[0];
  assert.equal(text.length, 12);
  assert.equal(logprobs.text_offset[0], 0);
  assert.ok(logprobs.text_offset.every((place, i) => place <= 11 && (i === 0 || place >= logprobs.text_offset[i - 1])));
  assert.ok(logprobs.text_offset.at(-1) >= 8);
});

test_openai(one, "the pieces of a stream make the same text, and the usage comes if it is asked for", async (client) => {
  const chunks = await all_of(await client.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } }));
  const last = chunks.pop();
  assert.deepEqual([last.choices, last.usage.completion_tokens], [[], 24]);
  assert.equal(chunks.map((chunk) => chunk.choices[0].text).join(""), await text_of(client));
  assert.equal(chunks.at(-1).choices[0].finish_reason, "length");
});

test_openai(one, "a text ends before a stop string, or at the end of a story", async (client) => {
  const whole = await text_of(client);
  const stop = whole.slice(20, 25);
  const answer = await client.completions.create({ ...asked, stop: [stop] });
  assert.deepEqual([answer.choices[0].text, answer.choices[0].finish_reason], [whole.slice(0, whole.indexOf(stop)), "stop"]);
  const story = await client.completions.create({ ...asked, max_tokens: 500 });
  assert.equal(story.choices[0].finish_reason, "stop");
  assert.ok(story.usage.completion_tokens < 500);
});

test_openai(one, "penalties, top_p, top_k and min_p are taken", async (client) => {
  const greedy = await text_of(client, { temperature: 0 });
  assert.equal(await text_of(client, { top_k: 1 }), greedy);
  assert.equal(await text_of(client, { min_p: 1 }), greedy);
  assert.equal(await text_of(client, { top_p: 1e-6 }), greedy);
  const repeats = { prompt: "the the the the the the", temperature: 0, repeat_last_n: -1 };
  assert.notEqual(await text_of(client, { ...repeats, presence_penalty: 2, frequency_penalty: 2 }), await text_of(client, repeats));
});
