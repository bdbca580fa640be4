// Serves the page as it lies in the tree, with a made-up model of as many actors as wanted: what no model at hand has.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { root } from "./support.mjs";

const types = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml" };

function actors_of(layers, heads, shards) {
  const rows = [["/", "root"], ["/directory", "directory"], ["/supervisor", "supervisor"], ["/scheduler", "scheduler"],
                ["/sequences", "sequences"], ["/replica/0/embedding", "embedding"], ["/replica/0/output", "output"],
                ["/replica/0/output/supervisor", "supervisor"], ["/replica/0/supervisor", "supervisor"]];
  for (let layer = 0; layer < layers; ++layer) {
    const path = `/replica/0/layer/${layer}`;
    rows.push([path, "layer"], [`${path}/supervisor`, "supervisor"]);
    for (let i = 0; i < heads; ++i) rows.push([`${path}/head/${i}`, "attention_head"]);
    for (let i = 0; i < shards; ++i) rows.push([`${path}/shard/${i}`, "projection_shard"]);
  }
  return rows.map(([path, kind], i) => [path, kind, 0, i + 1]);
}

/// {url, actors, close()}. Every half second `busy` actors have some load, and `restarting` of them are started again.
export async function serve_made_up({ layers, heads, shards, busy = 200, restarting = 20 }) {
  const actors = actors_of(layers, heads, shards);
  const began = Date.now();
  let next_id = actors.length + 1, seed = 1;
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  function numbers() {
    const time_ms = Date.now() - began;
    const steady = { running: 8, waiting: 2, cache_used: 900, cache_max: 8192, rows_replayed: 0 };
    return { ...steady, time_ms, tokens: Math.round(time_ms * 0.3), busy_ms: time_ms * 1.8 };
  }
  const load = () => Object.fromEntries(Array.from({ length: busy }, () => [actors[random(actors.length)][0], random(100) / 100]));
  function change() {
    const started = Array.from({ length: restarting }, () => actors[5 + random(actors.length - 5)]);
    for (const row of started) row[3] = next_id++;
    return { draining: false, models: [{ numbers: numbers(), load: load(), started, gone: [],
             recoveries: started.map(([path]) => ({ path, reason: "kill", escalates: false })) }] };
  }
  const server = createServer((request, response) => {
    if (request.url === "/dashboard/events") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const send = (name, data) => response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
      send("snapshot", { version: "made up", administration: true, draining: false, interval_ms: 500,
                         models: [{ name: "made-up", prompt: "text", threads: 2, numbers: numbers(), load: load(), actors }] });
      const timer = setInterval(() => send("change", change()), 500);
      response.on("close", () => clearInterval(timer));
      return;
    }
    const name = request.url === "/" ? "index.html" : request.url.replace("/dashboard/", "");
    try {
      const body = readFileSync(join(root, "apps/service/dashboard/page", name));
      response.writeHead(200, { "content-type": types[extname(name)] });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, actors: actors.length, close: () => {
    server.closeAllConnections();
    server.close();
  } };
}
