// A visitor generates, kills and watches: with a mouse or a finger, and with the keyboard alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { admin_key, administered, at_reading_speed, is_live, open, service_and_browser, sizes, text_of, type_key,
         wait_for_text } from "./support.mjs";

const both = service_and_browser(...administered(), ...at_reading_speed(12));
const visit = async (options) => {
  const page = await open(both.browser, both.service.url, options);
  await is_live(page);
  return page;
};

async function undisturbed(prompt, seed, max_tokens) {
  const answer = await fetch(both.service.url + "/v1/completions", { method: "POST", body: JSON.stringify({ prompt, seed, max_tokens }) });
  return (await answer.json()).choices[0].text;
}

const cell_of = (page, label) => page.waitForSelector(`button.cell[aria-label^="${label}"]`);
const restarts = async (path) => {
  const answer = await both.service.get("/admin/actors", { authorization: `Bearer ${admin_key}` });
  return (await answer.json()).actors.find((actor) => actor.path === path)?.restarts;
};
const is_answered = (page) =>
  page.waitForFunction(() => !document.querySelector("#answer").hasAttribute("aria-busy") && !document.querySelector("#send").hidden);

for (const size of Object.keys(sizes))
  test(`an actor that is killed by its button while a text streams changes nothing of it (${size})`, async () => {
    const page = await visit({ size });
    await type_key(page, "#admin-key", admin_key);
    const expected = await undisturbed("Once upon a time", 11, 250);
    await page.$eval("#seed", (input) => (input.value = "11"));
    await page.$eval("#length", (input) => (input.value = "250"));
    const before = await restarts("/replica/0/layer/2/head/1");
    await page.click("#send");
    await wait_for_text(page, "#text", /\S/);
    await (await cell_of(page, "attention head 1 of layer 2")).click();
    assert.match(await text_of(page, "#chosen-facts"), /^\/replica\/0\/layer\/2\/head\/1 · running/);
    for (let kills = 0; kills < 3;) {
      await page.$eval("#kill-result", (result) => (result.textContent = ""));
      await page.click("#kill");
      await wait_for_text(page, "#kill-result", /attention head 1 of layer 2|there is no actor/);
      kills += (await text_of(page, "#kill-result")) === "Killed attention head 1 of layer 2."; // Else it is just on its way back.
    }
    assert.equal(await page.$eval("#answer", (answer) => answer.getAttribute("aria-busy")), "true", "it still streams");
    await wait_for_text(page, "#log", /attention head 1 of layer 2 was killed; started again/);
    await page.waitForSelector('button.cell[aria-label="attention head 1 of layer 2, started again"]');
    await is_answered(page);
    assert.equal(await text_of(page, "#text"), expected);
    assert.equal(await page.$$eval("#text .killed", (marks) => marks.length), 3);
    assert.ok((await restarts("/replica/0/layer/2/head/1")) > before);
    await page.click("#again");
    const bytes = Buffer.byteLength(expected).toLocaleString("en");
    await wait_for_text(page, "#verdict", new RegExp(`^✓ Identical, all ${bytes} bytes, although 3 actors were killed`));
    await page.check();
  });

test("actors that are killed every second, whichever they are, change nothing of the text", async () => {
  const page = await visit();
  await type_key(page, "#admin-key", admin_key);
  const expected = await undisturbed("Once upon a time", 12, 400);
  await page.$eval("#seed", (input) => (input.value = "12"));
  await page.$eval("#length", (input) => (input.value = "400"));
  await page.click("#killing");
  await page.click("#send");
  await is_answered(page);
  assert.equal(await text_of(page, "#killing-hint"), "");
  assert.ok((await page.$$eval("#text .killed", (marks) => marks.length)) >= 2);
  assert.equal(await text_of(page, "#text"), expected);
  await page.check();
});

test("a text that is not what it was is not called identical", async () => {
  const page = await visit();
  await type_key(page, "#admin-key", admin_key);
  await page.$eval("#length", (input) => (input.value = "200"));
  await page.click("#killing");
  await page.click("#send");
  await is_answered(page);
  await page.setRequestInterception(true);
  page.on("request", (request) => request.url().endsWith("/v1/completions")
    ? request.continue({ postData: request.postData().replace(/"seed":\d+/, '"seed":99') }) : request.continue());
  await page.click("#again");
  await wait_for_text(page, "#verdict", /^✕ Not the same text/);
  await page.check();
});

test("all of it works by the keyboard alone", async () => {
  const page = await visit();
  const focused = () =>
    page.evaluate(({ activeElement: at } = document) => at.id || at.getAttribute("aria-label") || at.textContent);
  const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
  const tab_to = async (what, limit = 40) => {
    for (let i = 0; i < limit; ++i) {
      if ((await focused()) === what) return;
      await press("Tab");
    }
    assert.fail(`Tab does not come to ${what}, but to ${await focused()}`);
  };
  await press("Tab");
  assert.equal(await focused(), "Skip to the prompt");
  await tab_to("Keys");
  await press("Enter");
  await tab_to("admin-key");
  await page.keyboard.type(admin_key);
  await press("Enter");
  await page.keyboard.down("Shift");
  await tab_to("prompt");
  await page.keyboard.up("Shift");
  await page.keyboard.down("Control");
  await press("KeyA");
  await page.keyboard.up("Control");
  await page.keyboard.type("There was a");
  await tab_to("length");
  await page.keyboard.type("3000"); // As long as it goes.
  await press("Enter");
  await wait_for_text(page, "#text", /\S/);
  await tab_to("stop");
  await tab_to("attention head 0 of layer 0");
  await press("ArrowRight", "ArrowRight", "ArrowLeft");
  assert.equal(await focused(), "attention head 1 of layer 0");
  await press("Home");
  assert.equal(await focused(), "attention head 0 of layer 0");
  await press("ArrowRight", "Enter");
  assert.equal(await focused(), "kill");
  await press("Enter");
  await wait_for_text(page, "#kill-result", /^Killed attention head 1 of layer 0/);
  await press("Escape");
  assert.match(await focused(), /^attention head 1 of layer 0/);
  assert.equal(await page.$eval("#chosen", (chosen) => chosen.hidden), true);
  await page.keyboard.down("Shift");
  await tab_to("stop");
  await page.keyboard.up("Shift");
  await press("Enter");
  await wait_for_text(page, "#progress", /stopped$/);
  assert.equal(await focused(), "send");
  assert.equal(await text_of(page, ".asked"), "There was a");
  await page.check();
});

test("without the administrator's key nothing is killed, and the page says what is missing", async () => {
  const page = await visit();
  await (await cell_of(page, "scheduler")).click();
  await page.click("#kill");
  await wait_for_text(page, "#kill-result", /type in the administrator's key/);
  await page.click("#killing");
  assert.equal(await page.$eval("#killing", (box) => box.checked), false);
  await type_key(page, "#admin-key", "not-the-key");
  await page.click("#kill");
  await wait_for_text(page, "#kill-result", /administrator's key is needed/);
  await page.browserContext().close(); // The console has the 401.
});

test("a model that cannot go on with what it is asked says so, and the page goes on", async () => {
  const page = await visit();
  await page.$eval("#prompt", (prompt) => (prompt.value = "word ".repeat(3000)));
  await page.click("#send");
  await wait_for_text(page, "#progress", /context/);
  await page.$eval("#prompt", (prompt) => (prompt.value = "Once"));
  await page.click("#send");
  await wait_for_text(page, "#text", /\S/);
  await page.browserContext().close(); // The console has the 400.
});
