// Calls of tools.
import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { all_of, serve, storyteller, tale, test_openai } from "./support.mjs";

const one = serve("-m", `story=${storyteller}`);
const parameters = {
  weather: { type: "object", properties: { city: { type: "string", maxLength: 12 }, days: { type: "integer", minimum: 1, maximum: 9 } },
             required: ["city", "days"], additionalProperties: false },
  alarm: { type: "object", properties: { hour: { type: "integer", minimum: 0, maximum: 23 }, is_loud: { type: "boolean" } }, required: ["hour"],
           additionalProperties: false },
};
const ajv = new Ajv2020();
const tools = Object.entries(parameters).map(([name, schema]) => ({ type: "function", function: { name, description: "It helps.", parameters: schema } }));
const asked = { model: "story", messages: tale, max_tokens: 200, tools, seed: 1 };
const is_valid = (name, text) => assert.ok(ajv.validate(parameters[name], JSON.parse(text)), `${name}: ${text}`);
const said = (call) => `<tool_call>\\n${call}\\n</tool_call>`.replaceAll("{", "\\{").replaceAll("}", "\\}");

test_openai(one, "a tool that has to be called is called with arguments of its schema", async (client) => {
  const seen = new Set();
  for (let seed = 0; seed < 10; ++seed) {
    const answer = await client.chat.completions.create({ ...asked, seed, tool_choice: "required" });
    const { message, finish_reason } = answer.choices[0];
    assert.deepEqual([message.content, finish_reason, message.tool_calls.length], [null, "tool_calls", 1]);
    const [call] = message.tool_calls;
    assert.match(call.id, /^call_/);
    assert.equal(call.type, "function");
    is_valid(call.function.name, call.function.arguments);
    seen.add(call.function.name);
  }
  assert.ok(seen.size >= 1);
});

test_openai(one, "the tool that is named is the one that is called", async (client, OpenAI) => {
  for (const name of Object.keys(parameters)) {
    const answer = await client.chat.completions.create({ ...asked, tool_choice: { type: "function", function: { name } } });
    const [call] = answer.choices[0].message.tool_calls;
    assert.equal(call.function.name, name);
    is_valid(name, call.function.arguments);
  }
  await assert.rejects(client.chat.completions.create({ ...asked, tool_choice: { type: "function", function: { name: "none" } } }), OpenAI.BadRequestError);
});

test_openai(one, "none is called if none may be, or if none is needed", async (client) => {
  for (const tool_choice of ["none", "auto", undefined]) {
    const { message, finish_reason } = (await client.chat.completions.create({ ...asked, max_tokens: 20, tool_choice })).choices[0];
    assert.deepEqual([message.tool_calls, finish_reason], [undefined, "length"]);
    assert.ok(message.content.length > 20);
    const runner = client.chat.completions.stream({ ...asked, max_tokens: 20, tool_choice });
    assert.equal(await runner.finalContent(), message.content);
  }
});

test_openai(one, "a model that says a call as it was trained to has called a tool, also in a stream", async (client) => {
  // What the model says is forced here; whether that is a call is not.
  const regex = "Let me look\\.\\n" + said('{"name": "weather", "arguments": {"city": "Rome", "days": 2}}') + said('{"name": "alarm", "arguments": {"hour": 7}}');
  const { message, finish_reason } = (await client.chat.completions.create({ ...asked, regex })).choices[0];
  assert.deepEqual([message.content, finish_reason], ["Let me look.", "tool_calls"]);
  const calls = message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
  assert.deepEqual(calls, [["weather", { city: "Rome", days: 2 }], ["alarm", { hour: 7 }]]);
  const final = await client.chat.completions.stream({ ...asked, regex }).finalChatCompletion();
  assert.deepEqual(final.choices[0].message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]), calls);
  assert.equal(final.choices[0].message.content.trim(), "Let me look.");
  assert.equal(final.choices[0].finish_reason, "tool_calls");
  const untold = await client.chat.completions.create({ ...asked, regex, tool_choice: "none" });
  assert.equal(untold.choices[0].message.tool_calls, undefined);
  assert.match(untold.choices[0].message.content, /<tool_call>/);
});

test_openai(one, "calls come in the pieces of a stream as clients put them together", async (client) => {
  const wanted = { ...asked, tool_choice: "required" };
  const whole = (await client.chat.completions.create(wanted)).choices[0].message.tool_calls[0].function;
  const chunks = await all_of(await client.chat.completions.create({ ...wanted, stream: true }));
  const pieces = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
  assert.deepEqual([pieces[0].index, pieces[0].type, pieces[0].function.name], [0, "function", whole.name]);
  assert.match(pieces[0].id, /^call_/);
  assert.equal(pieces.map((piece) => piece.function.arguments ?? "").join(""), whole.arguments);
  assert.equal(chunks.at(-1).choices[0].finish_reason, "tool_calls");
  assert.ok(chunks.every((chunk) => !chunk.choices[0].delta.content));
  const final = await client.chat.completions.stream(wanted).finalChatCompletion();
  assert.equal(final.choices[0].message.tool_calls[0].function.arguments, whole.arguments);
});

test_openai(one, "a conversation goes on with the result of a tool", async (client) => {
  const first = (await client.chat.completions.create({ ...asked, tool_choice: "required" })).choices[0].message;
  const messages = [...tale, first, { role: "tool", tool_call_id: first.tool_calls[0].id, content: "It rains." }];
  const answer = await client.chat.completions.create({ ...asked, messages, max_tokens: 20 });
  assert.equal(answer.usage.completion_tokens, 20);
});

test_openai(one, "responses call tools, with all events, and go on with the result", async (client) => {
  const flat = tools.map((tool) => ({ type: "function", ...tool.function, strict: true }));
  const wanted = { model: "story", input: "Tell me a story.", seed: 1, tools: flat, max_output_tokens: 200, tool_choice: "required" };
  const made = await client.responses.create(wanted);
  const [call] = made.output;
  assert.deepEqual([made.status, made.output.length, call.type, call.status], ["completed", 1, "function_call", "completed"]);
  is_valid(call.name, call.arguments);
  const events = await all_of(await client.responses.create({ ...wanted, stream: true }));
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, i) => i));
  assert.deepEqual(events.map((event) => event.type.replace("response.", "")), ["created", "in_progress", "output_item.added",
    "function_call_arguments.delta", "function_call_arguments.done", "output_item.done", "completed"]);
  assert.equal(events[4].arguments, call.arguments);
  const final = await client.responses.stream(wanted).finalResponse();
  assert.equal(final.output[0].arguments, call.arguments);
  const next = await client.responses.create({ model: "story", previous_response_id: made.id, tools: flat, max_output_tokens: 20,
    input: [{ type: "function_call_output", call_id: call.call_id, output: "It rains." }] });
  assert.ok(next.output_text.length > 10);
  assert.ok(next.usage.input_tokens > made.usage.input_tokens);
});
