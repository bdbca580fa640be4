// Answers that must look like something: JSON schemas, JSON, regular expressions, grammars.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import add_formats from "ajv-formats";
import { schemas } from "./schemas.mjs";
import { all_of, openai_versions, serve, storyteller, tale, test_openai, user } from "./support.mjs";

const one = serve("-m", `story=${storyteller}`);
const asked = { model: "story", messages: tale, max_tokens: 400 };
const format_of = (name, schema) => ({ type: "json_schema", json_schema: { name, schema, strict: true } });
const ajv = new Ajv2020({ strict: false });
add_formats.default(ajv);

test("of 100 answers by 20 schemas every one that is complete is valid, and most are complete", async () => {
  assert.equal(Object.keys(schemas).length, 20);
  const clients = Object.values(openai_versions).map((OpenAI) => one.openai(OpenAI));
  const prompts = ["Tell me a story.", "Who are you?", "Count to ten.", "A dog", "{"];
  const answers = Object.entries(schemas).flatMap(([name, schema]) => prompts.map(async (prompt, seed) => {
    const wanted = { ...asked, messages: [user(prompt)], seed, response_format: format_of(name, schema) };
    const { message, finish_reason } = (await clients[seed % 2].chat.completions.create(wanted)).choices[0];
    if (finish_reason === "length") return name;
    assert.equal(finish_reason, "stop");
    assert.ok(ajv.validate(schema, JSON.parse(message.content)), `${name}: ${message.content}: ${ajv.errorsText()}`);
    return "complete";
  }));
  const ends = await Promise.all(answers);
  assert.equal(ends.length, 100);
  assert.ok(ends.filter((end) => end === "complete").length >= 90, String(ends));
});

test_openai(one, "a constrained answer is the same as a stream, in every API", async (client) => {
  const schema = schemas.person, wanted = { ...asked, seed: 4, response_format: format_of("person", schema) };
  const expected = (await client.chat.completions.create(wanted)).choices[0].message.content;
  assert.equal(await client.chat.completions.stream(wanted).finalContent(), expected);
  const response = { model: "story", input: "Tell me a story.", seed: 4, text: { format: { type: "json_schema", name: "person", schema, strict: true } } };
  assert.equal((await client.responses.create(response)).output_text, expected);
  const events = await all_of(await client.responses.create({ ...response, stream: true }));
  assert.deepEqual([events.at(-1).type, events.at(-1).response.output[0].content[0].text], ["response.completed", expected]);
  const message = await one.post("/v1/messages", { ...asked, seed: 4, output_config: { format: { type: "json_schema", schema } } });
  assert.equal(message.body.content[0].text, expected);
});

test_openai(one, "any JSON object is one", async (client) => {
  let complete = 0;
  for (let seed = 0; seed < 10; ++seed) {
    const answer = await client.chat.completions.create({ ...asked, seed, response_format: { type: "json_object" } });
    const { message, finish_reason } = answer.choices[0];
    assert.match(message.content, /^\s*\{/);
    if (finish_reason !== "stop") continue;
    ++complete;
    const value = JSON.parse(message.content);
    assert.ok(typeof value === "object" && !Array.isArray(value));
  }
  assert.ok(complete > 0);
});

test_openai(one, "a regular expression or a grammar is kept, under all of its names", async (client) => {
  const regex = "(no|yes), [a-z]{3,8}( [a-z]{3,8})?\\.", pattern = new RegExp(`^${regex}$`);
  const grammar = 'root ::= ("ha" | "ho"){2,4} "!"\n', laughs = /^(ha|ho){2,4}!$/;
  const text_of = async (more) => {
    const { message, finish_reason } = (await client.chat.completions.create({ ...asked, seed: 2, ...more })).choices[0];
    assert.equal(finish_reason, "stop");
    return message.content;
  };
  const expected = await text_of({ regex });
  assert.match(expected, pattern);
  for (const more of [{ guided_regex: regex }, { structured_outputs: { regex } }, { response_format: { type: "regex", pattern: regex } }])
    assert.equal(await text_of(more), expected);
  const laugh = await text_of({ grammar });
  assert.match(laugh, laughs);
  for (const more of [{ guided_grammar: grammar }, { structured_outputs: { grammar } }, { response_format: { type: "grammar", grammar } }])
    assert.equal(await text_of(more), laugh);
  const completion = await client.completions.create({ model: "story", prompt: "Well", max_tokens: 40, regex });
  assert.match(completion.choices[0].text, pattern);
});

test_openai(one, "what is not supported is refused, with its place", async (client, OpenAI) => {
  const refused = async (more, message) => await assert.rejects(client.chat.completions.create({ ...asked, ...more }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.match(error.message, message);
    return true;
  });
  await refused({ response_format: format_of("x", { type: "object", properties: { a: { patternProperties: {} } } }) }, /#\/properties\/a\/patternProperties/);
  await refused({ response_format: format_of("x", { type: "integer", minimum: 5, maximum: 4 }) }, /no text satisfies/);
  await refused({ regex: "(?=x)" }, /regular expression/);
  await refused({ grammar: "root ::= missing" }, /grammar/);
  await refused({ regex: "a", grammar: 'root ::= "a"' }, /second constraint/);
});
