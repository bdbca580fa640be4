// The page and its service: keys, services that end and come back, visitors who do not look.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { admin_key, administered, file, is_live, open, sleep, start_browser, start_service, text_of, type_key,
         wait_for_text } from "./support.mjs";

let browser;
before(async () => (browser = await start_browser()));
after(() => browser.close());

async function looks(service) {
  const page = await (await service.get("/metrics")).text();
  return Number(/^troupe_dashboard_looks_total (\d+)/m.exec(page)[1]);
}

test("with keys the page asks for one, is live with it, and kills with the administrator's only", async () => {
  const service = await start_service("--api-key-file", file("keys", "key-of-a-client\n"), ...administered());
  const page = await open(browser, service.url);
  await wait_for_text(page, "#connection", /^needs a key$/);
  assert.equal(await page.$$eval("button.cell", (cells) => cells.length), 0);
  await page.type("#api-key", "key-of-a-client");
  await page.click("#keys-form button");
  await is_live(page);
  await page.click("#send");
  await wait_for_text(page, "#text", /\S/);
  await type_key(page, "#admin-key", admin_key);
  await (await page.waitForSelector('button.cell[aria-label="scheduler"]')).click();
  await page.click("#kill");
  await wait_for_text(page, "#log", /scheduler was killed/);
  await page.check();
  assert.equal(await service.stop(), 128 + 15);
});

test("a page whose service ends says so, and follows the one that comes back", async () => {
  const service = await start_service();
  const page = await open(browser, service.url);
  await is_live(page);
  await service.stop();
  await wait_for_text(page, "#connection", /^reconnecting$/);
  const again = await start_service("--port", new URL(service.url).port);
  await is_live(page);
  assert.match(await text_of(page, "#tree-count"), /^53 actors/);
  await page.browserContext().close(); // The console has the refused connections.
  await again.stop();
});

test("a page that nobody sees costs nothing, and goes on when it is seen again", async () => {
  const service = await start_service();
  const page = await open(browser, service.url);
  await is_live(page);
  const hide = (yes) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, yes);
  await hide(true);
  await wait_for_text(page, "#connection", /^paused$/);
  await sleep(500);
  const before_pause = await looks(service);
  await sleep(1500);
  assert.equal(await looks(service), before_pause);
  await hide(false);
  await is_live(page);
  await sleep(800);
  assert.ok((await looks(service)) > before_pause);
  await page.check();
  await service.stop();
});
