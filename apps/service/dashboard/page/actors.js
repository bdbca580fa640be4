// The actors of one model as plain data: which there are, in which group each belongs, what they are called. No DOM.

const plural = { attention_head: "heads", cross_head: "cross heads", projection_shard: "shards", layer: "layer", sequence: "sequences" };
const words = (kind) => kind.replaceAll("_", " ");
export const plural_of = (kind) => plural[kind] ?? words(kind);

/// The order of kinds in a group; others come behind, by name.
const order = ["root", "directory", "attention_head", "cross_head", "projection_shard",
               "embedding", "layer", "output", "supervisor", "scheduler", "sequences", "sequence"];
const rank = (kind) => (order.indexOf(kind) + order.length + 1) % (order.length + 1);
export const by_kind = (a, b) => rank(a) - rank(b) || (a < b ? -1 : Number(a > b));

/// "layer/2" before "layer/10".
const collator = new Intl.Collator("en", { numeric: true });
export const by_path = (a, b) => collator.compare(a, b);

/// Where an actor is shown: {replica, key, title}. replica is null for those that belong to none.
export function place_of(path) {
  const parts = path.split("/").slice(1);
  if (parts[0] === "sequences") return { replica: null, key: "/sequences", title: "Requests" };
  if (parts[0] !== "replica" || parts.length < 3) return { replica: null, key: "/", title: "Service" };
  const replica = parts[1], root = `/replica/${replica}`;
  const encoder = parts[2] === "encoder";
  const [stage, index] = parts.slice(encoder ? 3 : 2);
  const prefix = encoder ? "Encoder " : "";
  const title = (text) => (prefix ? prefix + text : text[0].toUpperCase() + text.slice(1));
  const below = encoder ? `${root}/encoder` : root;
  if (stage === "layer") return { replica, key: `${below}/layer/${index}`, title: title(`layer ${index}`) };
  if (stage === "output") return { replica, key: `${below}/output`, title: title("output") };
  return { replica, key: `${root}/ends`, title: "Embedding" };
}

/// "attention head 1 of layer 3"
export function name_of({ path, kind }) {
  const parts = path.split("/").slice(1);
  const number = /^\d+$/.test(parts.at(-1)) ? ` ${parts.at(-1)}` : "";
  const name = kind === "root" ? "root supervisor" : kind === "sequences" ? "supervisor of requests" : words(kind) + number;
  const layer = parts.lastIndexOf("layer");
  const owner = kind === "sequence" ? "" : layer >= 0 ? (kind === "layer" ? "" : ` of layer ${parts[layer + 1]}`)
    : parts.includes("output") && kind !== "output" ? " of output"
    : parts[0] === "replica" && kind === "supervisor" ? ` of replica ${parts[1]}` : "";
  if (path === "/supervisor") return "supervisor of everything";
  return name + owner + (parts.includes("encoder") ? ", encoder" : "");
}

/// A few characters for its cell.
export function label_of({ path, kind }) {
  const last = path.split("/").at(-1);
  return /^\d+$/.test(last) && kind !== "layer" ? last : words(kind);
}

const is_passing = (kind) => kind === "sequence"; // They come and go with their requests.

/// Takes snapshots and changes as the server sends them.
export class actor_list {
  actors = new Map(); // By path: {path, kind, restarts, id, load, missing, changed}
  total = 0;          // Of those that are there.

  /// Everything anew.
  set(rows) {
    this.actors.clear();
    this.total = 0;
    this.#add(rows, 0);
  }

  /// Returns the actors to show anew.
  change({ started, gone, load }, now) {
    const touched = new Set();
    for (const path of gone) {
      const actor = this.actors.get(path);
      if (!actor || actor.missing) continue;
      --this.total;
      actor.missing = true;
      if (is_passing(actor.kind)) this.actors.delete(path);
      touched.add(actor);
    }
    for (const actor of this.#add(started, now)) touched.add(actor);
    this.set_load(load);
    return touched;
  }

  /// Smoothed, because it comes from samples.
  set_load(load) {
    for (const actor of this.actors.values()) {
      const share = load[actor.path] ?? 0;
      if (actor.load || share) actor.load = actor.load * 0.6 + share * 0.4 < 0.004 ? 0 : actor.load * 0.6 + share * 0.4;
    }
  }

  #add(rows, now) {
    return rows.map(([path, kind, restarts, id]) => {
      const known = this.actors.get(path);
      const actor = known ?? { path, kind, load: 0, changed: 0 };
      if (!known || known.missing) ++this.total;
      if (known && known.id !== id) actor.changed = now;
      Object.assign(actor, { kind, restarts, id, missing: false });
      this.actors.set(path, actor);
      return actor;
    });
  }
}
