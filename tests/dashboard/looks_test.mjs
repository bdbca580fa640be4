// What the page looks like to a program, in each size and colour: accessible, not wider than the screen. And that many actors do not
// slow it down.
import assert from "node:assert/strict";
import { test } from "node:test";
import { accessibility_findings, admin_key, administered, at_reading_speed, colours, is_live, open, service_and_browser, sizes, sleep,
         text_of, type_key, wait_for_text } from "./support.mjs";
import { serve_made_up } from "./made_up_service.mjs";

const both = service_and_browser(...administered(), ...at_reading_speed(4));

for (const size of Object.keys(sizes))
  for (const colour of colours)
    test(`a check of accessibility finds nothing, and nothing is wider than the screen (${size}, ${colour})`, async () => {
      const page = await open(both.browser, both.service.url, { size, colour });
      await is_live(page);
      const check = async (when) => {
        assert.deepEqual(await accessibility_findings(page), [], when);
        const is_wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
        assert.equal(is_wide, false, `${when}: too wide`);
      };
      await check("at first");
      await page.click("#keys summary");
      await check("with the field for the key");
      await page.click("#keys summary");
      await type_key(page, "#admin-key", admin_key);
      await page.click("#killing");
      await page.click("#send");
      await wait_for_text(page, "#log", /started again/);
      await (await page.waitForSelector("button.cell.shard")).click();
      await check("while actors are killed");
      await page.waitForFunction(() => !document.querySelector("#again").hidden);
      await page.click("#again");
      await wait_for_text(page, "#verdict", /Identical/);
      await check("in the end");
      await page.check();
    });

test("axe finds what is wrong with a page", async () => {
  const page = await open(both.browser, both.service.url);
  await page.evaluate(() => document.querySelector("label[for=prompt]").remove());
  assert.match((await accessibility_findings(page)).join(), /label/);
  await page.check();
});

for (const size of Object.keys(sizes))
  test(`ten thousand actors do not make it slow (${size})`, async () => {
    const made_up = await serve_made_up({ layers: 100, heads: 64, shards: 34 });
    try {
      assert.ok(made_up.actors > 10_000);
      const page = await open(both.browser, made_up.url, { size });
      await page.evaluate(() => {
        window.longest = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => (window.longest = Math.max(window.longest, entry.duration))))
          .observe({ type: "longtask" });
      });
      await is_live(page);
      await sleep(1000); // The snapshot.
      const snapshot_ms = await page.evaluate(() => window.longest);
      await page.evaluate(() => (window.longest = 0));
      await page.click(".group:nth-child(2) .fold"); // A layer is opened.
      await page.waitForSelector("button.cell.head");
      await sleep(4000); // Eight changes, each with 200 loads and 20 restarts.
      const change_ms = await page.evaluate(() => window.longest);
      const elements = await page.evaluate(() => document.querySelectorAll("*").length);
      console.log(`${made_up.actors} actors (${size}): ${elements} elements; longest task (0: none above 50 ms) ${snapshot_ms} ms ` +
                  `with the snapshot, ${change_ms} ms with changes`);
      assert.ok(elements < 3000, `${elements} elements`);
      assert.ok(change_ms < 200, `a task of ${change_ms} ms`);
      assert.match(await text_of(page, "#tree-count"), /^10,\d{3} actors/);
      assert.deepEqual(await accessibility_findings(page), []);
      await page.check();
    } finally {
      made_up.close();
    }
  });
