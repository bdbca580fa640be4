// What the tests share: `troupe serve`, a browser, the sizes and colours in which the page is looked at.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before } from "node:test";
import axe from "axe-core";
import puppeteer from "puppeteer-core";

export const root = process.env.TROUPE_ROOT;
export const storyteller = join(root, "apps/storyteller/storyteller.gguf");
export const admin_key = "key-of-the-test";
export const sizes = { phone: { width: 390, height: 844, hasTouch: true, isMobile: true }, desktop: { width: 1440, height: 900 } };
export const colours = ["light", "dark"];
export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const folder = mkdtempSync(join(tmpdir(), "troupe-dashboard-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

export function file(name, content) {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/// A plan under which a token takes some milliseconds more: the storyteller is faster than anyone reads, or kills.
const slowly = (added_ms) => JSON.stringify({ faults: [
  { name: "reading speed", selector: { path: "/replica/0/output" }, trigger: { every_ms: 50, repeat: 1_000_000_000 }, // Its successors, too.
    effect: { slow_down: { added_ms } } }] });

/// `troupe serve` at any free port, unless the options say which, and what ends it.
export async function start_service(...options) {
  const port = options.includes("--port") ? [] : ["--port", "0"];
  const words = ["serve", "-m", storyteller, ...port, ...options];
  const process_of = spawn(process.env.TROUPE_PROGRAM, words, { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => process_of.kill("SIGKILL"));
  for await (const line of createInterface({ input: process_of.stdout })) {
    process_of.unref();
    process_of.stdout.unref();
    const url = line.split(" ").at(-1);
    return { url, get: (path, headers = {}) => fetch(url + path, { headers }), stop: () => new Promise((resolve) => {
      process_of.ref();
      process_of.once("exit", resolve);
      process_of.kill("SIGTERM");
    }) };
  }
  throw new Error("troupe serve did not start");
}

export const administered = () => ["--admin-key-file", file("admins", admin_key + "\n")];
export const at_reading_speed = (added_ms) => ["--plan", file("slowly.json", slowly(added_ms))];

export function start_browser() {
  return puppeteer.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/// A service and a browser for the tests of one file.
export function service_and_browser(...options) {
  const both = {};
  before(async () => Object.assign(both, { service: await start_service(...options), browser: await start_browser() }));
  after(async () => {
    await both.browser.close();
    assert.equal(await both.service.stop(), 128 + 15);
  });
  return both;
}

/// A new page. Errors in it, and requests to elsewhere, are found by page.check().
export async function open(browser, url, { size = "desktop", colour = "light", path = "/" } = {}) {
  const page = await (await browser.createBrowserContext()).newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && !message.text().includes("status of 401") && problems.push(message.text()));
  page.on("request", (request) => new URL(request.url()).origin === new URL(url).origin || problems.push(`a request to ${request.url()}`));
  await page.setViewport(sizes[size]);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: colour }]);
  await page.goto(url + path);
  page.check = async () => {
    assert.deepEqual(problems, []);
    await page.browserContext().close();
  };
  return page;
}

export const text_of = (page, selector) => page.$eval(selector, (found) => found.textContent);

export function wait_for_text(page, selector, pattern, timeout = 20_000) {
  const fits = (where, source) => new RegExp(source).test(document.querySelector(where)?.textContent ?? "");
  return page.waitForFunction(fits, { timeout, polling: 50 }, selector, pattern.source);
}

export const is_live = (page) => wait_for_text(page, "#connection", /^live$/);

/// As a visitor does it: opens "Keys" and types.
export async function type_key(page, field, key) {
  // By the keyboard: a page that is still being laid out moves away under a mouse.
  if (!(await page.$eval("#keys", (details) => details.open))) {
    await page.focus("#keys summary");
    await page.keyboard.press("Enter");
  }
  await page.type(field, key);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => !document.querySelector("#keys").open);
}

/// What a check of accessibility finds; empty if nothing.
export async function accessibility_findings(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.target.join(" ")).slice(0, 5).join(", ")}`);
}
