// 16 clients read streams while actors of every kind are killed in the server: none may notice more than a pause.
//
//   tests/service_clients/run TROUPE BUILD_DIRECTORY survival.mjs [--minutes N]     else it takes about 20 seconds
//
// First with free texts, then with a JSON schema, then with room for the caches of a few streams only, so that they preempt each other: each
// seed once undisturbed, then over and over while every 200 ms an actor of the next kind is killed; the root is the only one that is
// spared. Prints the longest pause of a stream; exit code 1 if one failed or had other text.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import OpenAI from "openai7";
import { server, sleep, storyteller, tale } from "./support.mjs";

const cache_of_few = "4MB";
const clients = 16, kill_every_ms = 200, silence_max_ms = 60_000;
const { values } = parseArgs({ options: { minutes: { type: "string" } } });
const phase_ms = values.minutes ? Number(values.minutes) * 20_000 : 8_000;

const scene = { type: "object", properties: { who: { type: "string", maxLength: 30 }, says: { type: "string", maxLength: 60 }, mood: { enum: ["glad", "sad"] } },
                required: ["who", "says", "mood"], additionalProperties: false };
const scenes = { type: "array", items: scene, minItems: 4, maxItems: 8 };
const free_text = { max_tokens: 400, ignore_eos: true };
const with_preemption = "free text, with preemption";
const kinds_of_text = {
  "free text": free_text,
  [with_preemption]: free_text,
  "JSON schema": { max_tokens: 400, response_format: { type: "json_schema", json_schema: { name: "scenes", schema: scenes, strict: true } } },
};

const folder = mkdtempSync(join(tmpdir(), "troupe-survival-"));
writeFileSync(join(folder, "admins"), "key-of-the-test\n");
const start = (...options) => server.start("-m", storyteller, "--admin-key-file", join(folder, "admins"), ...options);
let one, client; // Of the phase.
const admin = { authorization: "Bearer key-of-the-test" };
const actors = async () => (await one.get("/admin/actors", { headers: admin })).actors;

/// The text of one stream, and its longest pause in milliseconds.
async function read(more, seed) {
  const silence = new AbortController();
  const end = () => silence.abort();
  let timer = setTimeout(end, silence_max_ms);
  let text = "", reason = null, longest_ms = 0, last = Date.now();
  const asked = { model: "storyteller", messages: tale, stream: true, seed, ...more };
  for await (const chunk of await client.chat.completions.create(asked, { signal: silence.signal })) {
    clearTimeout(timer);
    timer = setTimeout(end, silence_max_ms);
    longest_ms = Math.max(longest_ms, Date.now() - last);
    last = Date.now();
    text += chunk.choices[0].delta.content ?? "";
    reason = chunk.choices[0].finish_reason ?? reason;
  }
  clearTimeout(timer);
  if (silence.signal.aborted) throw new Error(`nothing came for ${silence_max_ms} ms`); // Else the client just ends the stream.
  return { said: `${text} [${reason}]`, longest_ms };
}

/// Kills an actor of the next kind, again and again, until `until` says so. How many of each kind, how many restarts were seen, and the most
/// preemptions that one scheduler has counted.
async function kill(until) {
  const killed = {};
  let restarted = 0, restarts = Infinity, preempted = 0;
  for (let turn = 0; !until.done; ++turn) {
    await sleep(kill_every_ms);
    const all = (await actors()).filter((actor) => actor.path !== "/");
    const restarts_now = all.reduce((sum, actor) => sum + actor.restarts, 0); // A new supervisor begins to count from 0.
    restarted += Math.max(0, restarts_now - restarts);
    restarts = restarts_now;
    preempted = Math.max(preempted, await one.metric('troupe_preemptions_total{model_name="storyteller"}'));
    const kinds = [...new Set(all.map((actor) => actor.kind))].sort();
    const kind = kinds[turn % kinds.length];
    const candidates = all.filter((actor) => actor.kind === kind);
    const { path } = candidates[(turn * 7919) % candidates.length];
    const { status } = await one.post("/admin/kill", { path }, admin);
    if (status === 202) killed[kind] = (killed[kind] ?? 0) + 1;
    else if (status !== 404) throw new Error(`killing ${path}: ${status}`); // It may just be on its way back.
  }
  return { killed, restarted, preempted };
}

async function survives(name, more) {
  const seeds = Array.from({ length: clients }, (_, i) => i);
  const expected = await Promise.all(seeds.map((seed) => read(more, seed)));
  const until = { done: false }, killing = kill(until);
  const end = Date.now() + phase_ms, pauses = [], problems = [];
  const reading = seeds.map(async (seed) => {
    do {
      try {
        const { said, longest_ms } = await read(more, seed);
        pauses.push(longest_ms);
        if (said !== expected[seed].said) problems.push(`seed ${seed}: other text:\n  ${said}\n  ${expected[seed].said}`);
      } catch (error) {
        problems.push(`seed ${seed}: ${error.message}`);
      }
    } while (Date.now() < end);
  });
  await Promise.all(reading);
  until.done = true;
  const { killed, restarted, preempted } = await killing;
  pauses.sort((a, b) => a - b);
  const part = (share) => pauses[Math.min(pauses.length - 1, Math.floor(share * pauses.length))];
  const undisturbed = Math.max(...expected.map(({ longest_ms }) => longest_ms));
  console.log(`${name}: ${pauses.length} streams, ${problems.length} failed or with other text; killed ${JSON.stringify(killed)}, ${restarted} restarts seen; ` +
              `longest pause of a stream: median ${part(0.5)} ms, p99 ${part(0.99)} ms, at most ${part(1)} ms (undisturbed ${undisturbed} ms)`);
  const spared = (await actors()).map((actor) => actor.kind).filter((kind) => kind !== "root" && !killed[kind]);
  if (spared.length > 0) problems.push(`not killed: ${[...new Set(spared)]}`);
  if (restarted === 0) problems.push("no actor was started again");
  if (name === with_preemption && preempted === 0) problems.push("no stream was preempted");
  for (const problem of problems.slice(0, 10)) console.log(problem);
  return problems.length === 0 && pauses.length >= clients;
}

let is_good = true;
async function phase(options, names) {
  one = await start(...options);
  client = one.openai(OpenAI);
  try {
    for (const name of names) is_good = (await survives(name, kinds_of_text[name])) && is_good;
  } finally {
    is_good = (await one.stop()) === 128 + 15 && is_good;
  }
}

try {
  await phase([], ["free text", "JSON schema"]);
  await phase(["--cache-memory", cache_of_few], [with_preemption]);
} finally {
  rmSync(folder, { recursive: true });
}
process.exitCode = is_good ? 0 : 1;
