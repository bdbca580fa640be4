// The loss of a training run, drawn while it grows.
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { accessibility_findings, colours, file, is_live, open, sizes, start_browser, start_service, text_of, wait_for_text } from "./support.mjs";

const run = join(dirname(file("a", "")), "poems");
const metrics = join(run, "metrics.jsonl");
const step = (update, loss) => JSON.stringify({ update, loss, accuracy: 0.5, tokens: 640, seconds: 0.1 }) + "\n";
const validation = (update, val_loss) => JSON.stringify({ update, val_loss, val_accuracy: 0.4, is_best: true }) + "\n";
const fall = (update) => 1.5 + 4 / (1 + update / 40);
const steps = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => step(from + i, fall(from + i))).join("");
const points_of = (page, line) => page.$eval(line, (path) => (path.getAttribute("d") ?? "").split("L").length);

let browser, service;
before(async () => {
  mkdirSync(run, { recursive: true });
  service = await start_service("--training", run);
  browser = await start_browser();
});
after(async () => {
  await browser.close();
  await service.stop();
});

test("the curve of a run grows as its steps are done, and is drawn anew when the run is resumed", async () => {
  const page = await open(browser, service.url);
  await is_live(page);
  await wait_for_text(page, "#loss-figures", /has not done a step yet/);
  assert.equal(await page.$eval("#training-name", (name) => name.textContent), "poems");
  appendFileSync(metrics, steps(1, 50) + validation(50, 3.5));
  await wait_for_text(page, "#loss-figures", /^Update 50: loss 3\.278, 50\.0 % of the targets right, 6,400 tokens\/s; validation 3\.500$/);
  assert.equal(await points_of(page, "#training-line"), 50);
  appendFileSync(metrics, steps(51, 100) + validation(100, 2.8));
  await wait_for_text(page, "#loss-figures", /^Update 100: .*; validation 2\.800$/);
  assert.equal(await points_of(page, "#training-line"), 100);
  assert.equal(await points_of(page, "#validation-line"), 2);
  assert.equal(await page.$eval("#loss-lines", (lines) => lines.getAttribute("aria-label")), "Loss of poems from 5.40 to 2.64 in 100 updates");
  assert.deepEqual(await page.$$eval("#updates span", (ticks) => ticks.map((one) => one.textContent)), ["50"]);
  writeFileSync(join(run, "new"), steps(1, 60));
  renameSync(join(run, "new"), metrics);
  await wait_for_text(page, "#loss-figures", /^Update 60: /);
  assert.equal(await points_of(page, "#training-line"), 60);
  assert.equal(await points_of(page, "#validation-line"), 1); // An empty path.
  await page.check();
});

for (const size of Object.keys(sizes))
  for (const colour of colours)
    test(`the curve is accessible, and not wider than the screen (${size}, ${colour})`, async () => {
      writeFileSync(metrics, steps(1, 300) + validation(150, 2.6) + validation(300, 2.2));
      const page = await open(browser, service.url, { size, colour });
      await is_live(page);
      await wait_for_text(page, "#loss-figures", /^Update 300: /);
      assert.deepEqual(await accessibility_findings(page), []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth), false);
      if (process.env.TROUPE_PICTURES) await page.screenshot({ path: join(process.env.TROUPE_PICTURES, `training-${size}-${colour}.png`) });
      await page.check();
    });

test("a page of a service that watches no run has no curve", async () => {
  const other = await start_service();
  const page = await open(browser, other.url);
  await is_live(page);
  assert.equal(await page.$eval("#training", (section) => section.hidden), true);
  assert.equal(await text_of(page, "#loss-figures"), "");
  await page.check();
  await other.stop();
});
