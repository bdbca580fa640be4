// The end of a server.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { all_of, openai_versions, server, storyteller, tale, temporary_folder } from "./support.mjs";

const asked = { model: "storyteller", messages: tale, max_tokens: 450, ignore_eos: true, seed: 1 };
const text_of = (chunks) => chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join("");
const [OpenAI] = Object.values(openai_versions).slice(-1);

test("a server that is stopped ends the streams under way first, and takes nothing new", async () => {
  const one = await server.start("-m", storyteller), client = one.openai(OpenAI);
  const expected = text_of(await all_of(await client.chat.completions.create({ ...asked, stream: true })));
  const chunks = [];
  let stopped;
  for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
    chunks.push(chunk);
    if (chunks.length !== 10) continue;
    stopped = one.stop();
    await assert.rejects(async () => {
      for (;;) await client.chat.completions.create({ ...asked, max_tokens: 1 }); // Until the signal has come.
    }, (error) => error instanceof OpenAI.InternalServerError && error.status === 503 && error.code === "draining");
    assert.equal((await one.fetch("/health/ready")).status, 503);
    assert.equal((await one.fetch("/health/live")).status, 200);
  }
  assert.equal(text_of(chunks), expected);
  assert.equal(await stopped, 128 + 15);
});

test("a server that is drained by an administrator goes on with what it has", async () => {
  const admins = join(temporary_folder(), "admins");
  writeFileSync(admins, "key-of-the-test\n");
  const one = await server.start("-m", storyteller, "--admin-key-file", admins), client = one.openai(OpenAI);
  assert.equal((await one.fetch("/health/ready")).status, 200);
  assert.equal((await one.post("/admin/drain", {})).status, 401);
  const stream = await client.chat.completions.create({ ...asked, stream: true });
  assert.equal((await one.post("/admin/drain", {}, { authorization: "Bearer key-of-the-test" })).status, 202);
  await assert.rejects(client.chat.completions.create(asked), (error) => error.status === 503 && error.code === "draining");
  assert.equal((await all_of(stream)).at(-1).choices[0].finish_reason, "length");
  assert.equal(await one.stop(), 128 + 15);
});

test("streams that do not end in the time for that are cut", async () => {
  const one = await server.start("-m", storyteller, "--shutdown-time", "0.1"), client = one.openai(OpenAI);
  const stream = await client.chat.completions.create({ ...asked, n: 100, stream: true });
  const stopped = one.stop();
  await assert.rejects(all_of(stream));
  assert.equal(await stopped, 128 + 15);
});
