// The tree on the page: replicas, in them groups of actors (a layer, the output), in them a row of cells for each kind. What is folded
// has no elements, so that ten thousand actors cost no more than those that are open.
import { by_kind, by_path, label_of, name_of, place_of, plural_of } from "./actors.js";

const open_at_first_max = 400; // With more actors, groups are folded at first.
const cells_at_first = 64;     // Of one kind; a button shows more.
export const marked_ms = 6000; // How long an actor is marked that was started again.

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/// Sets the children of `parent` to these without touching those that are in place already: they may have the focus.
function arrange(parent, wanted) {
  wanted.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  });
  while (parent.children.length > wanted.length) parent.lastElementChild.remove();
}

let numbered = 0;

/// A button that shows and hides `body`.
function fold(heading, title, body, is_open, on_open) {
  body.id = `fold-${++numbered}`;
  const text = element("span", { className: "group-title", textContent: title });
  const facts = element("span", { className: "group-facts" });
  const bar = element("i", { className: "bar" });
  const button = element("button", { type: "button", className: "fold" }, text, facts, bar);
  button.setAttribute("aria-controls", body.id);
  const open = (yes) => {
    button.setAttribute("aria-expanded", String(yes));
    body.hidden = !yes;
    on_open(yes);
  };
  button.addEventListener("click", () => open(body.hidden));
  open(is_open);
  return { top: element(heading, {}, button), facts, bar };
}

/// The actors of a layer, the output, or what else belongs together.
class group {
  constructor(view, title, is_open) {
    this.view = view;
    this.title = title;
    this.kinds = new Map(); // Kind -> actors, in order.
    this.rows = new Map();  // Kind -> {row, cells, more, shown}
    this.is_open = is_open;
    this.body = element("div", { className: "kinds" });
    this.folded = fold("h4", title, this.body, is_open, (yes) => {
      this.is_open = yes;
      if (yes) this.draw();
      else this.clear();
    });
    this.element = element("section", { className: "group" }, this.folded.top, this.body);
  }

  add(actor) {
    const all = this.kinds.get(actor.kind) ?? [];
    this.kinds.set(actor.kind, all);
    actor.group = this;
    all.push(actor);
    this.needs_order = true;
  }

  remove(actor) {
    const all = this.kinds.get(actor.kind) ?? [];
    const at = all.indexOf(actor);
    if (at >= 0) all.splice(at, 1);
    if (all.length === 0) this.kinds.delete(actor.kind);
    this.needs_order = true;
  }

  *actors() {
    for (const all of this.kinds.values()) yield* all;
  }

  clear() {
    for (const actor of this.actors()) this.view.cells.delete(actor.path);
    this.rows.clear();
    this.body.replaceChildren();
  }

  /// The cells anew, if some came or went.
  draw() {
    if (!this.is_open) return;
    const kinds = [...this.kinds.keys()].sort(by_kind);
    for (const kind of [...this.rows.keys()]) if (!this.kinds.has(kind)) this.rows.delete(kind);
    for (const kind of kinds) {
      const all = this.kinds.get(kind);
      if (this.needs_order) all.sort((a, b) => a.number - b.number || by_path(a.path, b.path));
      if (!this.rows.has(kind)) this.rows.set(kind, this.make_row(kind));
      const row = this.rows.get(kind);
      row.row.classList.toggle("alone", all.length === 1 && !/\d/.test(label_of(all[0])));
      const cells = all.slice(0, row.shown).map((actor) => this.view.cell_of(actor));
      const hidden = all.length - cells.length;
      row.more.textContent = `${Math.min(hidden, cells_at_first * 4)} more of ${all.length.toLocaleString("en")}`;
      arrange(row.cells, hidden > 0 ? [...cells, row.more] : cells);
    }
    this.needs_order = false;
    arrange(this.body, kinds.map((kind) => this.rows.get(kind).row));
    const first = this.body.querySelector(".cell");
    if (first && !this.body.querySelector('.cell[tabindex="0"]')) first.tabIndex = 0;
  }

  make_row(kind) {
    const cells = element("div", { className: "cells" });
    const more = element("button", { type: "button", className: "more" });
    const name = element("span", { className: "kind-name", textContent: plural_of(kind) });
    const row = element("div", { className: "kind" }, name, cells);
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", `${plural_of(kind)}, ${this.title}`);
    const made = { row, cells, more, shown: cells_at_first };
    more.addEventListener("click", () => {
      made.shown += cells_at_first * 4;
      this.draw();
    });
    return made;
  }

  /// What can be seen without opening it.
  draw_top(now) {
    let count = 0, again = 0, missing = 0;
    this.load = 0;
    for (const actor of this.actors()) {
      ++count;
      this.load += actor.load;
      missing += actor.missing;
      again += actor.changed > 0 && now - actor.changed < marked_ms;
    }
    const text = missing ? `… ${missing} missing` : again ? `↻ ${again} restarted` : String(count);
    if (text !== this.text) this.folded.facts.textContent = this.text = text;
    this.folded.facts.classList.toggle("marked", missing + again > 0);
    this.element.classList.toggle("large", this.is_open && count > 24);
  }

  draw_load(busiest) {
    const share = (this.load / busiest).toFixed(2);
    if (share !== this.share) this.folded.bar.style.setProperty("--load", (this.share = share));
  }
}

export class tree_view {
  cells = new Map();  // Path -> button; of the groups that are open.
  groups = new Map(); // Key -> group
  recent = new Set(); // Actors that are marked.

  /// on_choose(actor, cell): somebody presses it.
  constructor(root, on_choose) {
    this.root = root;
    this.on_choose = on_choose;
    root.addEventListener("keydown", (event) => this.move(event));
  }

  show(list) {
    this.cells.clear();
    this.groups.clear();
    this.recent.clear();
    this.replicas = new Map();
    this.opens = list.actors.size <= open_at_first_max;
    this.root.replaceChildren();
    for (const actor of list.actors.values()) this.place(actor);
    this.settle(performance.now());
  }

  /// After a change of the list.
  update(list, touched, now) {
    for (const actor of touched) {
      if (!list.actors.has(actor.path)) this.take_out(actor);
      else if (!actor.group) this.place(actor);
      if (actor.changed > 0) this.recent.add(actor);
      this.draw_cell(actor, now);
    }
    for (const actor of this.recent) {
      if (now - actor.changed >= marked_ms) this.recent.delete(actor);
      this.draw_cell(actor, now);
    }
    this.settle(now);
  }

  place(actor) {
    const { replica, key, title } = place_of(actor.path);
    actor.number = Number(/\d*$/.exec(actor.path)[0]);
    if (!this.groups.has(key)) {
      const is_open = this.opens && key !== "/sequences";
      const made = Object.assign(new group(this, title, is_open), { key });
      this.groups.set(key, made);
      const into = this.replica_of(replica);
      into.groups.push(made);
      into.groups.sort((a, b) => rank(a) - rank(b) || by_path(a.key, b.key));
      into.needs_order = true;
    }
    this.groups.get(key).add(actor);
  }

  take_out(actor) {
    actor.group?.remove(actor);
    this.cells.delete(actor.path);
    this.recent.delete(actor);
  }

  replica_of(index) {
    if (!this.replicas.has(index)) {
      const body = element("div", { className: "replica" });
      const made = { groups: [], body };
      const title = index === null ? "Shared by all" : `Replica ${index}`;
      const { top, facts } = fold("h3", title, body, true, () => {});
      Object.assign(made, { facts, element: element("section", {}, top, body) });
      this.replicas.set(index, made);
      const sorted = [...this.replicas].sort(([a], [b]) => (a === null) - (b === null) || a - b);
      arrange(this.root, sorted.map(([, one]) => one.element));
    }
    return this.replicas.get(index);
  }

  settle(now) {
    for (const one of this.replicas.values()) {
      if (one.needs_order) arrange(one.body, one.groups.map((member) => member.element));
      one.needs_order = false;
    }
    for (const one of this.groups.values()) {
      if (one.needs_order) one.draw();
      one.draw_top(now);
    }
    this.draw_loads();
  }

  /// Beside the busiest: what an actor takes of a thread is often little, and differs much from model to model.
  draw_loads() {
    const least = 0.02; // Of a thread: below it nobody is called busy.
    let busiest_group = least, busiest_cell = least;
    for (const one of this.groups.values()) busiest_group = Math.max(busiest_group, one.load);
    for (const one of this.groups.values()) one.draw_load(busiest_group);
    for (const cell of this.cells.values()) busiest_cell = Math.max(busiest_cell, cell.actor.load);
    for (const cell of this.cells.values()) {
      const share = Math.sqrt(cell.actor.load / busiest_cell).toFixed(2);
      if (cell.share !== share) cell.style.setProperty("--load", (cell.share = share));
    }
  }

  cell_of(actor) {
    const known = this.cells.get(actor.path);
    if (known) return known;
    const shape = actor.kind.includes("head") ? "head" : actor.kind.includes("shard") ? "shard" : "word";
    const cell = element("button", { type: "button", className: `cell ${shape}`, tabIndex: -1 });
    cell.actor = actor;
    cell.setAttribute("aria-pressed", "false");
    cell.addEventListener("click", () => this.on_choose(actor, cell));
    cell.addEventListener("focus", () => {
      for (const other of actor.group.body.querySelectorAll('.cell[tabindex="0"]')) other.tabIndex = -1;
      cell.tabIndex = 0;
    });
    this.cells.set(actor.path, cell);
    this.draw_cell(actor, performance.now());
    return cell;
  }

  draw_cell(actor, now) {
    const cell = this.cells.get(actor.path);
    if (!cell) return;
    const again = actor.changed > 0 && now - actor.changed < marked_ms;
    const mark = actor.missing ? "missing" : again ? "again" : "";
    const text = actor.missing ? "…" : again && !cell.classList.contains("word") ? "↻" : label_of(actor);
    if (cell.dataset.mark !== mark || cell.textContent !== text) {
      cell.dataset.mark = mark;
      cell.textContent = text;
      cell.setAttribute("aria-label", name_of(actor) + (actor.missing ? ", not there now" : again ? ", started again" : ""));
    }
  }

  /// Arrow keys go from cell to cell; Tab goes from group to group.
  move(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const cells = [...cell.actor.group.body.querySelectorAll(".cell")];
    const at = cells.indexOf(cell);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: cells.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    cells[Math.max(0, Math.min(cells.length - 1, to))].focus();
  }
}

/// The way of a token: embedding, encoder, layers, output.
function rank({ key }) {
  return ["/ends", "/encoder", "/layer/", "/output"].findIndex((part) => key.includes(part));
}
