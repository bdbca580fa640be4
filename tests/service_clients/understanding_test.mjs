// Embeddings, classification, translation, tokens, and which models there are.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { classifier, date_reader, program, serve, storyteller, tale, temporary_folder, test_openai } from "./support.mjs";

/// The classifier without its last layer: a model that gives vectors.
function write_encoder(folder) {
  mkdirSync(folder);
  for (const name of readdirSync(classifier)) copyFileSync(join(classifier, name), join(folder, name));
  const config = JSON.parse(readFileSync(join(folder, "config.json")));
  config.architectures = ["BertModel"];
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const file = readFileSync(join(folder, "model.safetensors"));
  const header_bytes = Number(file.readBigUInt64LE()), begin = 8 + header_bytes;
  const tensors = {}, parts = [];
  let size = 0;
  for (const [name, tensor] of Object.entries(JSON.parse(file.subarray(8, begin)))) {
    if (name === "__metadata__" || name.startsWith("classifier.")) continue;
    const [first, end] = tensor.data_offsets;
    parts.push(file.subarray(begin + first, begin + end));
    tensors[name] = { ...tensor, data_offsets: [size, (size += end - first)] };
  }
  const text = JSON.stringify(tensors), header = Buffer.from(text + " ".repeat((8 - (text.length % 8)) % 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(join(folder, "model.safetensors"), Buffer.concat([length, header, ...parts]));
  return folder;
}

const encoder = write_encoder(join(temporary_folder(), "encoder"));
const one = serve("-m", `story=${storyteller}`, "-m", `classifier=${classifier}`, "-m", `dates=${date_reader}`, "-m", `encoder=${encoder}`);
const texts = ["Where is my parcel?", "I was charged twice!", "The app crashes when I open it."];

/// What the program prints for these texts.
function printed(command, model, ...options) {
  const lines = execFileSync(program, [command, "-m", model, "--json", "--quiet", ...options, ...texts], { encoding: "utf8" });
  return lines.trim().split("\n").map((line) => JSON.parse(line));
}

test_openai(one, "embeddings are those of troupe embed, as numbers and in the client's own form", async (client) => {
  const expected = printed("embed", encoder, "--normalize").map((line) => line.embedding.map(Math.fround));
  for (const encoding_format of ["float", "base64", undefined]) {
    const answer = await client.embeddings.create({ model: "encoder", input: texts, encoding_format });
    assert.deepEqual(answer.data.map((entry) => entry.index), [0, 1, 2]);
    const vectors = answer.data.map(({ embedding }) => {
      if (typeof embedding !== "string") return embedding;
      const bytes = Buffer.from(embedding, "base64");
      return [...new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))];
    });
    assert.deepEqual(vectors.map((vector) => [...vector].map(Math.fround)), expected);
    assert.ok(answer.usage.prompt_tokens > 10);
  }
  const alone = await client.embeddings.create({ model: "encoder", input: texts[1], encoding_format: "float" });
  assert.deepEqual(alone.data[0].embedding.map(Math.fround), expected[1]);
});

test_openai(one, "a model that gives no embeddings says so", async (client, OpenAI) => {
  for (const model of ["story", "classifier", "dates"])
    await assert.rejects(client.embeddings.create({ model, input: "x" }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.deepEqual([error.code, error.param], ["unsupported_model", "model"]);
      return true;
    });
});

test_openai(one, "all models are listed, and each can be asked for", async (client, OpenAI) => {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model);
  assert.deepEqual(listed.map((model) => model.id), ["story", "classifier", "dates", "encoder"]);
  for (const model of listed) assert.deepEqual({ ...(await client.models.retrieve(model.id)) }, { ...model });
  await assert.rejects(client.models.retrieve("none"), OpenAI.NotFoundError);
});

test("classes are those of troupe classify", async () => {
  const { status, body } = await one.post("/classify", { model: "classifier", input: texts });
  assert.equal(status, 200);
  printed("classify", classifier).forEach(({ labels }, i) => {
    assert.equal(body.data[i].label, labels[0].label);
    assert.equal(Math.max(...body.data[i].probs), labels[0].probability);
    assert.deepEqual([...body.data[i].probs].sort((a, b) => b - a).slice(0, labels.length), labels.map((label) => label.probability));
    assert.equal(body.data[i].num_classes, body.data[i].probs.length);
  });
  assert.equal((await one.post("/v1/classify", { model: "classifier", input: texts[0] })).body.data[0].label, body.data[0].label);
});

test("dates are translated, one or several", async () => {
  const single = await one.post("/translate", { model: "dates", q: "am 3. März 2021" });
  assert.deepEqual([single.status, single.body], [200, { translatedText: "2021-03-03" }]);
  const several = await one.post("/translate", { model: "dates", q: ["am 3. März 2021", "July 4th, 1999"] });
  assert.deepEqual(several.body, { translatedText: ["2021-03-03", "1999-07-04"] });
  assert.equal((await one.post("/translate", { model: "dates", q: "am 3. März 2021", beams: 1 })).body.translatedText, "2021-03-03");
  assert.equal((await one.post("/translate", { model: "story", q: "am 3. März 2021" })).body.error.code, "unsupported_model");
});

test("a text becomes tokens and a text again, and a conversation becomes a prompt", async () => {
  const { body } = await one.post("/tokenize", { content: "Once upon a time", add_special: false, with_pieces: true });
  assert.equal(body.tokens.length, body.count);
  assert.equal((await one.post("/detokenize", { tokens: body.tokens })).body.content, body.token_strs.join(""));
  assert.equal(body.token_strs.join("").trim(), "Once upon a time");
  const { prompt } = (await one.post("/apply-template", { messages: tale })).body;
  assert.match(prompt, /Tell me a story\./);
  const by_prompt = await one.post("/tokenize", { content: prompt, add_special: false });
  assert.deepEqual((await one.post("/tokenize", { messages: tale })).body.tokens, by_prompt.body.tokens);
});
