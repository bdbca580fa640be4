// Fault plans that an administrator sends to a server while it serves.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { all_of, openai_versions, serve, server, storyteller, tale, temporary_folder } from "./support.mjs";

const admins = join(temporary_folder(), "admins");
writeFileSync(admins, "key-of-the-test\n");
const one = serve("-m", storyteller, "--admin-key-file", admins);
const key = { authorization: "Bearer key-of-the-test" };
const [OpenAI] = Object.values(openai_versions).slice(-1);
const asked = { model: "storyteller", messages: tale, max_tokens: 450, ignore_eos: true, seed: 1, stream: true };
const text_of = (chunks) => chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join("");
const faults = async (method, plan) => {
  const answer = await one.fetch("/admin/faults", { method, headers: key, body: plan && JSON.stringify(plan) });
  return { status: answer.status, body: await answer.json() };
};
const kills = { seed: 3, faults: [{ name: "kills", selector: { path: "/replica/0/**" }, trigger: { every_ms: 50, repeat: 10000 }, effect: { kill: {} } }] };

test("a plan that is sent while streams run is carried out until it is taken away, and the streams have the same text", async () => {
  const client = one.openai(OpenAI);
  const expected = text_of(await all_of(await client.chat.completions.create(asked)));
  const chunks = [];
  for await (const chunk of await client.chat.completions.create(asked)) {
    chunks.push(chunk);
    if (chunks.length === 20) assert.equal((await faults("POST", kills)).status, 202);
    if (chunks.length === 50) assert.equal((await faults("GET")).body.plan.faults[0].name, "kills");
  }
  assert.equal(text_of(chunks), expected);
  const disturbed = await Promise.all(Array.from({ length: 4 }, async () => all_of(await client.chat.completions.create(asked))));
  for (const one of disturbed) assert.equal(text_of(one), expected);
  const { status, body } = await faults("DELETE");
  assert.equal(status, 200);
  assert.ok(Number(body.log.injections_total) > 0);
  assert.equal(body.log.injections[0].fault, "kills");
  const { body: after } = await faults("GET");
  assert.deepEqual([after.plan, after.log], [null, {}]);
  assert.equal(text_of(await all_of(await client.chat.completions.create(asked))), expected);
  assert.equal((await faults("DELETE")).status, 404);
});

test("a plan is of administrators, and one that cannot be carried out is refused with the place in it", async () => {
  assert.equal((await one.post("/admin/faults", kills)).status, 401);
  const refused = async (plan, message) => {
    const { status, body } = await faults("POST", plan);
    assert.equal(status, 400);
    assert.match(body.error.message, message);
  };
  await refused({ faults: [{ selector: { path: "/nowhere" }, effect: { kill: {} } }] }, /faults\[0\]\.selector\.path: "\/nowhere" fits no actor/);
  await refused({ faults: [{ selector: { path: "/scheduler" }, effect: { clock_jump: { ms: 5 } } }] }, /clock_jump/);
  await refused({ colour: "red" }, /colour/);
  assert.equal((await faults("GET")).body.plan, null);
  const elsewhere = await one.fetch("/admin/faults?model=none", { method: "GET", headers: key });
  assert.equal(elsewhere.status, 404);
});

test("the log says which actor ended, and that it is restarted", async () => {
  for (const format of ["text", "json"]) {
    const logs = await server.start("-m", `tales=${storyteller}`, "--admin-key-file", admins, "--log-format", format);
    const killed = await logs.post("/admin/kill", { path: "/replica/0/layer/1/head/0" }, key);
    assert.equal(killed.status, 202);
    await logs.post("/v1/completions", { prompt: "Once", max_tokens: 20 });
    const expected = format === "text"
      ? /level=warning event=engine model=tales message="\/replica\/0\/layer\/1\/head\/0 ended: kill(ed)?; it is restarted"/
      : /"level":"warning","event":"engine","model":"tales","message":"\/replica\/0\/layer\/1\/head\/0 ended: kill(ed)?; it is restarted"/;
    for (let i = 0; i < 100 && !logs.said.some((line) => expected.test(line)); ++i) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(logs.said.some((line) => expected.test(line)), logs.said.join("\n"));
    await logs.stop();
  }
});
