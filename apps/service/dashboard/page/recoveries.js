// The list of what failed and came back.
import { name_of } from "./actors.js";

const entries_max = 100;
const of = (id) => document.getElementById(id);

/// In the words of a visitor.
function reason_of(reason) {
  return /(^|[^a-z])kill(ed)?$/.test(reason) ? "was killed" : `ended: ${reason.length > 200 ? reason.slice(0, 200) + "…" : reason}`;
}

/// kind_of: of the actor at a path.
export function log_recoveries(recoveries, kind_of) {
  const list = of("log").firstElementChild;
  for (const { path, reason, escalates } of recoveries) {
    const entry = document.createElement("li");
    const time = document.createElement("time");
    const name = document.createElement("strong");
    time.textContent = new Date().toLocaleTimeString("en-GB");
    name.textContent = name_of({ path, kind: kind_of(path) });
    name.title = path;
    entry.append(time, " ", name, ` ${reason_of(reason)}; ${escalates ? "too often: its supervisor starts anew" : "started again"}`);
    list.prepend(entry);
  }
  while (list.children.length > entries_max) list.lastElementChild.remove();
  of("log").hidden = list.children.length === 0;
  of("log-empty").hidden = list.children.length > 0;
}
