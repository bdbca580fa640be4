// Clients that mean harm, beside clients that do not: nobody else may notice them, and nothing of them may stay behind.
//
//   tests/service_clients/run TROUPE BUILD_DIRECTORY hostile.mjs [--requests N] [--seed S]     else 2,000 requests, about 20 seconds
//
// N malformed requests (random bytes, damaged heads and bodies, JSON that is none or not what is asked for, lengths that lie, streams that
// are left in the middle), N / 40 clients that send a byte now and then, N / 20 connections that say nothing, and some bodies
// of 100 MB. Meanwhile four clients stream the same stories over and over. Exit code 1 if one of these got another text or an error, if the
// server has ended, or if it has more descriptors, threads, sequences or memory than before: 2 % more, or with less than 10,000 requests,
// when the allocator has not had all sizes yet, 16 MB.
import { readFileSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { parseArgs } from "node:util";
import OpenAI from "openai7";
import { server, sleep, storyteller, tale } from "./support.mjs";

const { values } = parseArgs({ options: { requests: { type: "string", default: "2000" }, seed: { type: "string", default: "1" } } });
const requests = Number(values.requests), at_once = 32, polite = 4;
// Key/value caches are filled to their budget soon: they are no matter of this test.
const one = await server.start("-m", storyteller, "--cache-memory", "2MB");
const port = Number(new URL(one.url).port), id = one.process.pid;
const client = one.openai(OpenAI);

/// Marsaglia's xorshift: the same requests for the same seed.
let state = Number(values.seed) * 2654435761 >>> 0 || 1;
function below(n) {
  state ^= state << 13, state >>>= 0, state ^= state >>> 17, state ^= state << 5, state >>>= 0;
  return state % n;
}
const pick = (list) => list[below(list.length)];
const random_bytes = (count) => Buffer.from(Array.from({ length: count }, () => below(256)));

function damaged(buffer) {
  const bytes = [...buffer];
  for (let times = 1 + below(8); times > 0; --times) {
    const at = below(bytes.length || 1);
    switch (below(4)) {
    case 0: bytes[at] = below(256); break;
    case 1: bytes.splice(at, 1 + below(20)); break;
    case 2: bytes.splice(at, 0, ...random_bytes(1 + below(20))); break;
    default: bytes.splice(at, 0, ...bytes.slice(at, at + below(60)));
    }
  }
  return Buffer.from(bytes);
}

const paths = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/messages", "/tokenize", "/detokenize",
               "/apply-template", "/classify", "/translate", "/v1/models", "/metrics", "/admin/kill", "/v1/requests/x/cancel", "/nowhere"];
const odd = [null, true, -1, 0, 1e308, -1e308, 1.5, 2 ** 53, "", "\u0000", "\ud800", "a".repeat(5000), [], {}, [[]], [null], { a: { b: [] } }];
const fields = ["model", "messages", "prompt", "input", "max_tokens", "temperature", "top_p", "top_k", "n", "stop", "seed", "stream", "logprobs",
                "top_logprobs", "logit_bias", "response_format", "tools", "tool_choice", "user", "priority", "deadline_ms", "text", "content",
                "grammar", "regex", "json_schema", "system", "echo", "tokens", "stream_options", "previous_response_id", "encoding_format"];
function odd_body() {
  const body = { model: "storyteller", store: false, messages: tale, prompt: "Once", input: "Once", max_tokens: 2 };
  for (let times = 1 + below(4); times > 0; --times) body[pick(fields)] = pick(odd);
  return JSON.stringify(body);
}
const deep_body = () => '{"messages":' + "[".repeat(1 + below(100_000));
const head = (path, length, more = "") =>
  `${pick(["POST", "GET", "PUT", "DELETE"])} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n${more}\r\n`;
const post = (path, body, more) => Buffer.from(head(path, Buffer.byteLength(body), more).replace(/^\w+/, "POST") + body);

const kinds = {
  noise: () => random_bytes(1 + below(2000)),
  "damaged request": () => damaged(post(pick(paths), odd_body())),
  "odd fields": () => post(pick(paths), odd_body()),
  "damaged JSON": () => post(pick(paths), damaged(Buffer.from(odd_body())).toString("latin1")),
  "deep JSON": () => post(pick(paths), deep_body()),
  "long header": () => Buffer.from(head("/v1/models", 0, `x: ${"y".repeat(1000 + below(100_000))}\r\n`)),
  "many headers": () => Buffer.from(head("/v1/models", 0, Array.from({ length: 1 + below(500) }, (_, i) => `x${i}: y\r\n`).join(""))),
  "lying length": () => Buffer.from(head(pick(paths), pick([-1, 1e30, "0x10", "1, 2", 99_999_999_999, " "])) + odd_body()),
  "bad chunks": () => Buffer.from(`POST ${pick(paths)} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n${pick(["zz", "-1", "fffffffffffffffff", "5;x=\"", "3"])}\r\nabc`),
  "two lengths": () => Buffer.from(head("/v1/completions", 10, "Content-Length: 20\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"),
  "half a request": () => { const all = post(pick(paths), odd_body()); return all.subarray(0, below(all.length)); },
};

/// Sends it, and leaves when something has come back, the server has closed, or there was time enough.
function send(bytes, { leave_after = 1, milliseconds = 400 } = {}) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let pieces = 0;
    const done = () => { socket.destroy(); resolve(); };
    socket.setTimeout(milliseconds, done);
    socket.on("connect", () => socket.write(bytes));
    socket.on("data", () => ++pieces >= leave_after && done());
    socket.on("error", done);
    socket.on("close", resolve);
  });
}
const stream_left = () => send(post("/v1/chat/completions", JSON.stringify({ model: "storyteller", messages: tale, max_tokens: 400, ignore_eos: true, stream: true, n: 1 + below(3) })),
                               { leave_after: 1 + below(6), milliseconds: 2000 });

async function hostile_requests(count) {
  const names = Object.keys(kinds);
  let left = count;
  const worker = async () => {
    while (left-- > 0) {
      const name = below(10) === 0 ? "stream left" : pick(names);
      counts[name] = (counts[name] ?? 0) + 1;
      await (name === "stream left" ? stream_left() : send(kinds[name]()));
    }
  };
  await Promise.all(Array.from({ length: at_once }, worker));
}

/// Connections that are held open; each says `say` a second.
async function held(count, milliseconds, say) {
  const sockets = Array.from({ length: count }, () => connect(port, "127.0.0.1").on("error", () => {}));
  for (const end = Date.now() + milliseconds; Date.now() < end; await sleep(1000))
    for (const socket of sockets) if (say && socket.writable) socket.write(say());
  for (const socket of sockets) socket.destroy();
}

async function huge_body() {
  await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const piece = Buffer.alloc(1 << 20, 32);
    let left = 100;
    const done = () => { socket.destroy(); resolve(); };
    const more = () => { while (left > 0 && socket.writable) if (!(left--, socket.write(piece))) return; };
    socket.setTimeout(5000, done);
    socket.on("connect", () => { socket.write(`POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${100 << 20}\r\n\r\n`); more(); });
    socket.on("drain", more);
    socket.on("data", done);
    socket.on("error", done);
    socket.on("close", resolve);
  });
}

const status = () => {
  const text = readFileSync(`/proc/${id}/status`, "utf8");
  return { memory_kb: Number(/VmRSS:\s+(\d+)/.exec(text)[1]), threads: Number(/Threads:\s+(\d+)/.exec(text)[1]),
           descriptors: readdirSync(`/proc/${id}/fd`).length };
};
async function idle_status() {
  for (let i = 0; i < 100 && (await one.metric("troupe_http_connections")) > 1 + polite; ++i) await sleep(100);
  await sleep(1000);
  const sequences = (await one.metric('vllm:num_requests_running{model_name="storyteller"}')) + (await one.metric('vllm:num_requests_waiting{model_name="storyteller"}'));
  const all = status(), connections = await one.metric("troupe_http_connections");
  return { ...all, descriptors: all.descriptors - connections, sequences };
}

async function story(seed) {
  let text = "";
  for await (const chunk of await client.chat.completions.create({ model: "storyteller", messages: tale, stream: true, seed, max_tokens: 300, ignore_eos: true }))
    text += chunk.choices[0].delta.content ?? "";
  return text;
}

async function everything(count) {
  await Promise.all([hostile_requests(count),
                     held(Math.ceil(count / 40), 4000, () => pick(["P", "x: y\r\n", "\r", "POST / HTTP/1.1\r\n"])),
                     held(Math.ceil(count / 20), 4000, null)]);
  for (let i = 0; i < 3; ++i) await huge_body();
}

const problems = [], counts = {};
let stories = 0, longest_ms = 0;

/// So many hostile requests beside polite clients, and what the server has when all are gone.
async function phase(count, expected) {
  let is_over = false;
  const readers = expected.map(async (text, seed) => {
    while (!is_over) {
      const start = Date.now();
      const found = await story(seed).catch((error) => `${error}`);
      longest_ms = Math.max(longest_ms, Date.now() - start);
      ++stories;
      if (found !== text) problems.push(`story ${seed}: ${found.slice(0, 200)}`);
    }
  });
  await everything(count);
  is_over = true;
  await Promise.all(readers);
  return await idle_status();
}

try {
  const expected = await Promise.all(Array.from({ length: polite }, (_, seed) => story(seed)));
  // What is taken once, such as memory of buffers, is taken first.
  let before = await phase(requests, expected);
  for (let rounds = 0; requests >= 10_000 && rounds < 10; ++rounds) {
    const next = await phase(requests, expected);
    const grows = next.memory_kb > before.memory_kb * 1.01;
    before = next;
    if (!grows) break;
  }
  const start = Date.now();
  const after = await phase(requests, expected);
  console.log(`hostile requests, the last ${requests} of them in ${((Date.now() - start) / 1000).toFixed(0)} s: ${JSON.stringify(counts)}`);
  console.log(`${stories} stories meanwhile, ${problems.length} with another text; the slowest took ${longest_ms} ms`);
  console.log(`before the last ones ${JSON.stringify(before)}, after ${JSON.stringify(after)}`);
  if (after.memory_kb > (requests < 10_000 ? before.memory_kb + 16_384 : before.memory_kb * 1.02)) problems.push("there is more memory than before");
  for (const what of ["threads", "descriptors", "sequences"]) if (after[what] > before[what]) problems.push(`there are more ${what} than before`);
  if (stories < polite) problems.push("the other clients were hardly served");
} catch (error) {
  problems.push(`${error.stack}`);
}
for (const problem of problems.slice(0, 10)) console.log(problem);
if ((await one.stop()) !== 128 + 15) problems.push("the server has not ended as it should");
process.exitCode = problems.length === 0 ? 0 : 1;
