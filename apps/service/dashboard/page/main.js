// The dashboard: follows GET /dashboard/events while the page can be seen, and lets a visitor generate and kill.
import { actor_list, name_of } from "./actors.js";
import { error_of, events_of } from "./events.js";
import { admin_headers, key, set_key, watch_headers } from "./keys.js";
import { numbers_view } from "./numbers.js";
import { prompt_box } from "./prompt.js";
import { log_recoveries } from "./recoveries.js";
import { training_view } from "./training.js";
import { tree_view } from "./tree.js";

const of = (id) => document.getElementById(id);
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

let models = [], shown = 0; // As the snapshot has them, each with its actor_list; the index of the one that is shown.
let may_kill = false;       // The service has an administrator.
let chosen = null;          // {actor, cell}
const numbers = new numbers_view();
const training = new training_view();
const tree = new tree_view(of("groups"), choose);
const box = new prompt_box({ begin: begin_killing, end: end_killing });

function show_connection(state, text) {
  of("connection").dataset.state = state;
  if (of("connection").textContent !== text) of("connection").textContent = text;
}

// The stream of the service.

function take_snapshot(all) {
  may_kill = all.administration;
  const name = models[shown]?.name;
  models = all.models;
  shown = Math.max(0, models.findIndex((one) => one.name === name));
  for (const one of models) {
    one.list = new actor_list();
    one.list.set(one.actors);
    one.list.set_load(one.load);
    delete one.actors;
  }
  of("model").replaceChildren(...models.map((one) => new Option(one.name)));
  of("model-choice").hidden = models.length < 2;
  show_model();
  training.show(all.training);
  show_keys();
  show_connection(all.draining ? "draining" : "live", all.draining ? "is being stopped" : "live");
}

function show_model() {
  const model = models[shown];
  of("model").selectedIndex = shown;
  document.title = `troupe: ${model.name}`;
  unchoose();
  box.use(model);
  numbers.begin(model.threads);
  numbers.show(model.numbers);
  tree.show(model.list);
  show_count();
}

function show_count() {
  const { list, name } = models[shown];
  of("tree-count").textContent = `${list.total.toLocaleString("en")} actors run ${name}`;
}

function take_change(change) {
  const now = performance.now();
  change.models.forEach((news, i) => {
    const model = models[i];
    const kinds = new Map(news.started.map(([path, kind]) => [path, kind]));
    const touched = model.list.change(news, now);
    model.numbers = news.numbers;
    if (i !== shown) return;
    numbers.recovered += news.recoveries.length;
    numbers.show(news.numbers);
    tree.update(model.list, touched, now);
    if (news.recoveries.length) log_recoveries(news.recoveries, (path) => kinds.get(path) ?? model.list.actors.get(path)?.kind ?? "actor");
  });
  training.show(change.training);
  show_count();
  show_chosen();
  show_connection(change.draining ? "draining" : "live", change.draining ? "is being stopped" : "live");
}

let following = null; // Aborts the stream.

async function follow_once() {
  following = new AbortController();
  const answer = await fetch("/dashboard/events", { headers: watch_headers(), signal: following.signal, cache: "no-store" });
  if (answer.status === 401) {
    show_connection("locked", "needs a key");
    of("api-key-field").hidden = false;
    of("keys").open = true;
    return "wait"; // Until a key is typed.
  }
  if (!answer.ok) throw new Error(await error_of(answer));
  for await (const { name, data } of events_of(answer)) {
    const event = JSON.parse(data);
    if (name === "snapshot") take_snapshot(event);
    else if (name === "change") take_change(event);
  }
}

let wake = () => {};
async function follow() {
  for (;;) {
    if (document.hidden) await new Promise((resolve) => (wake = resolve)); // Nobody looks.
    try {
      if ((await follow_once()) === "wait") await new Promise((resolve) => (wake = resolve));
      else show_connection("lost", "reconnecting");
    } catch (error) {
      if (error.name !== "AbortError") show_connection("lost", "reconnecting");
    }
    if (!document.hidden) await sleep(1000);
  }
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    following?.abort();
    show_connection("waiting", "paused");
  } else wake();
});

// Killing.

/// An error in words, or nothing.
async function kill(actor) {
  const answer = await fetch("/admin/kill", {
    method: "POST", headers: { "content-type": "application/json", ...admin_headers() },
    body: JSON.stringify({ path: actor.path, model: models[shown].name }) });
  if (!answer.ok) return await error_of(answer);
  box.killed(name_of(actor));
}

/// What stands in the way of killing, if anything does.
function why_not() {
  if (!may_kill) return "To kill actors, start the service with --admin-key-file.";
  if (!key("admin")) return "To kill actors, type in the administrator's key.";
  return "";
}

function choose(actor, cell) {
  unchoose();
  chosen = { actor, cell };
  cell.setAttribute("aria-pressed", "true");
  of("kill-result").textContent = "";
  show_chosen();
  of("chosen").hidden = false;
  of("kill").focus({ preventScroll: true });
}

function unchoose(takes_focus = false) {
  if (!chosen) return;
  chosen.cell.setAttribute("aria-pressed", "false");
  if (takes_focus) chosen.cell.focus({ preventScroll: true });
  chosen = null;
  of("chosen").hidden = true;
}

function show_chosen() {
  if (!chosen) return;
  const { actor } = chosen;
  const state = actor.missing ? "not there now" : "running";
  const times = actor.restarts === 1 ? "once" : `${actor.restarts} times`;
  of("chosen-name").textContent = name_of(actor);
  of("chosen-facts").textContent = `${actor.path} · ${state} · busy ${Math.round(100 * actor.load)} % of a thread` +
    (actor.restarts ? ` · started again ${times}` : "");
  of("kill").hidden = actor.path === "/";
  if (actor.path === "/") of("kill-result").textContent = "The root starts all others again. It is the one that must stay.";
}

of("kill").addEventListener("click", async () => {
  const problem = why_not();
  if (problem) {
    of("kill-result").textContent = problem;
    if (may_kill) ask_for_key();
    return;
  }
  const { actor } = chosen;
  const error = await kill(actor).catch((failure) => failure.message);
  of("kill-result").textContent = error ?? `Killed ${name_of(actor)}.`;
});
of("unchoose").addEventListener("click", () => unchoose(true));
of("tree").addEventListener("keydown", (event) => {
  if (event.key === "Escape") unchoose(true);
});

let killing = null; // The timer.

function begin_killing() {
  clearInterval(killing);
  killing = setInterval(kill_any, 1000);
}
function end_killing() {
  clearInterval(killing);
}

async function kill_any() {
  if (!of("killing").checked) return;
  const candidates = [...models[shown].list.actors.values()].filter((actor) => actor.path !== "/" && !actor.missing);
  const actor = candidates[Math.floor(Math.random() * candidates.length)];
  const error = await kill(actor).catch((failure) => failure.message);
  if (error && !error.includes("there is no actor")) { // It may just be on its way back.
    of("killing").checked = false;
    of("killing-hint").textContent = error;
  }
}

of("killing").addEventListener("change", () => {
  of("killing-hint").textContent = "";
  const problem = why_not();
  if (!of("killing").checked || !problem) return;
  of("killing").checked = false;
  of("killing-hint").textContent = problem;
  if (may_kill) ask_for_key();
});

// Keys.

function show_keys() {
  of("admin-key-field").hidden = !may_kill;
  of("keys").hidden = !may_kill && of("api-key-field").hidden;
}

function ask_for_key() {
  of("keys").open = true;
  of("admin-key").focus();
}

of("keys-form").addEventListener("submit", (event) => {
  event.preventDefault();
  set_key("api", of("api-key").value);
  set_key("admin", of("admin-key").value);
  of("keys").open = false;
  of("killing-hint").textContent = of("kill-result").textContent = "";
  wake();
});

of("api-key").value = key("api");
of("admin-key").value = key("admin");
of("api-key-field").hidden = !key("api");
of("model").addEventListener("change", () => {
  shown = of("model").selectedIndex;
  show_model();
});
follow();
