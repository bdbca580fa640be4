// What the tests share: a server of their own, and the clients of each version.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import OpenAI6 from "openai6";
import OpenAI7 from "openai7";

export const openai_versions = { "openai 6": OpenAI6, "openai 7": OpenAI7 };
export const program = process.env.TROUPE_PROGRAM;
const apps = process.env.TROUPE_APPS;
export const storyteller = join(apps, "storyteller/storyteller.gguf");
export const classifier = join(apps, "message_classifier/model");
export const date_reader = join(apps, "date_reader/model");

/// `troupe serve` with these options, at any free port.
export class server {
  static async start(...options) {
    const made = new server();
    made.process = spawn(program, ["serve", "--port", "0", ...options], { stdio: ["ignore", "pipe", "pipe"] });
    made.said = []; // Lines on stderr. What actors are restarted for is no news in a test.
    createInterface({ input: made.process.stderr }).on("line", (line) => {
      made.said.push(line);
      if (!/event"?[=:]"?engine/.test(line)) console.error(line);
    });
    process.on("exit", () => made.process.kill("SIGKILL")); // Whatever becomes of the tests.
    for await (const line of createInterface({ input: made.process.stdout })) {
      made.url = line.split(" ").at(-1);
      // A test that fails and does not stop it must not wait for it.
      made.process.unref();
      made.process.stdout.unref();
      made.process.stderr.unref();
      return made;
    }
    throw new Error("troupe serve did not start");
  }

  /// Its exit code, after SIGTERM.
  stop() {
    return new Promise((resolve) => {
      this.process.ref();
      this.process.once("exit", (code) => resolve(code));
      this.process.kill("SIGTERM");
    });
  }

  fetch(path, options = {}) {
    return fetch(this.url + path, options);
  }
  async get(path, options = {}) {
    const answer = await this.fetch(path, options);
    assert.equal(answer.status, 200, `GET ${path}`);
    return await answer.json();
  }
  async post(path, body, headers = {}) {
    const answer = await this.fetch(path, { method: "POST", body: JSON.stringify(body), headers });
    return { status: answer.status, body: await answer.json() };
  }
  async delete(path) {
    const answer = await this.fetch(path, { method: "DELETE" });
    return { status: answer.status, body: await answer.json() };
  }
  /// One figure of /metrics; 0 where there is none yet.
  async metric(name) {
    const page = await (await this.fetch("/metrics")).text();
    const line = page.split("\n").find((one) => one.startsWith(name + " "));
    return line ? Number(line.split(" ").at(-1)) : 0;
  }
  openai(OpenAI, options = {}) {
    return new OpenAI({ baseURL: this.url + "/v1", apiKey: "none", maxRetries: 0, ...options });
  }
}

/// A server for the tests of one file.
export function serve(...options) {
  const one = new server();
  before(async () => Object.assign(one, await server.start(...options)));
  after(async () => assert.equal(await one.stop(), 128 + 15));
  return one;
}

/// The same test with each version of OpenAI's client.
export function test_openai(one, claim, run) {
  for (const [version, OpenAI] of Object.entries(openai_versions))
    test(`${claim} (${version})`, () => run(one.openai(OpenAI), OpenAI));
}

/// A folder for the tests of one file.
export function temporary_folder() {
  const folder = mkdtempSync(join(tmpdir(), "troupe-clients-"));
  after(() => rmSync(folder, { recursive: true }));
  return folder;
}

export async function all_of(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

export async function wait_until(is_true, what, milliseconds = 5000) {
  for (const end = Date.now() + milliseconds; !(await is_true()); await sleep(10))
    assert.ok(Date.now() < end, `not within ${milliseconds} ms: ${what}`);
}

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
export const user = (content) => ({ role: "user", content });
export const tale = [user("Tell me a story.")];
