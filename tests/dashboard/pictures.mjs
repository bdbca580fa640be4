// Pictures of the dashboard in FOLDER, while a text is generated and actors are killed: pictures.mjs FOLDER
import { join } from "node:path";
import { admin_key, administered, at_reading_speed, colours, is_live, open, sizes, sleep, start_browser, start_service,
         type_key } from "./support.mjs";

const [folder] = process.argv.slice(2);
const service = await start_service(...administered(), ...at_reading_speed(8));
const browser = await start_browser();
for (const size of Object.keys(sizes))
  for (const colour of colours) {
    const page = await open(browser, service.url, { size, colour });
    await is_live(page);
    await type_key(page, "#admin-key", admin_key);
    await page.click("#killing");
    await page.click("#send");
    await sleep(3500);
    await page.click('.group:nth-child(4) .cell.head');
    await sleep(1200);
    await page.screenshot({ path: join(folder, `${size}-${colour}.png`) });
    await page.screenshot({ path: join(folder, `${size}-${colour}-whole.png`), fullPage: true });
    await page.browserContext().close();
  }
await browser.close();
await service.stop();
