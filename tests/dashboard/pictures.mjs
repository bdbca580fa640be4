// Pictures of the dashboard in FOLDER, while many texts are generated and actors are killed: pictures.mjs FOLDER
import { join } from "node:path";
import { admin_key, administered, colours, is_live, open, sizes, sleep, start_browser,
         start_service, type_key, wait_for_text } from "./support.mjs";

const others = 40; // Clients beside the visitor.
const [folder] = process.argv.slice(2);
const service = await start_service(...administered(), "--cache-memory", "64MB");
const browser = await start_browser();
let is_over = false;

async function be_busy(_, seed) {
  while (!is_over) {
    const body = JSON.stringify({ prompt: "One day", seed, max_tokens: 400 });
    await (await fetch(service.url + "/v1/completions", { method: "POST", body })).text();
  }
}

const crowd = Array.from({ length: others }, be_busy);
for (const size of Object.keys(sizes))
  for (const colour of colours) {
    const page = await open(browser, service.url, { size, colour });
    await is_live(page);
    await type_key(page, "#admin-key", admin_key);
    await page.evaluate(() => { // The same actors each time, in several layers.
      const chosen = [11, 27, 33, 16, 38, 5, 20]; // Of all actors, by their paths.
      Math.random = () => {
        chosen.push(chosen.shift());
        return (chosen.at(-1) + 0.5) / (parseInt(document.querySelector("#tree-count").textContent, 10) - 1);
      };
      document.querySelector("#length").value = 450;
    });
    await sleep(6000);
    await page.click("#killing");
    await page.click("#send");
    await page.waitForSelector("#again:not([hidden])", { timeout: 60_000 });
    await page.click("#again");
    if (size === "desktop") await page.click(".group:nth-child(4) .cell.head");
    await wait_for_text(page, "#verdict", /Identical/, 90_000);
    await sleep(600);
    await page.screenshot({ path: join(folder, `${size}-${colour}.png`) });
    await page.screenshot({ path: join(folder, `${size}-${colour}-whole.png`), fullPage: true });
    await page.browserContext().close();
  }
is_over = true;
await Promise.all(crowd);
await browser.close();
await service.stop();
