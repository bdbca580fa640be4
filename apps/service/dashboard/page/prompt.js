// The prompt box: one stream at a time, and the same once more to compare.
import { error_of, events_of } from "./events.js";
import { api_headers } from "./keys.js";

const of = (id) => document.getElementById(id);

export class prompt_box {
  /// begin(), end(): of a stream.
  constructor({ begin, end }) {
    this.on_begin = begin;
    this.on_end = end;
    of("prompt-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.running) this.run();
    });
    of("prompt").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) of("prompt-form").requestSubmit();
    });
    of("stop").addEventListener("click", () => this.running?.abort());
    of("again").addEventListener("click", () => this.compare());
  }

  /// model: of the snapshot.
  use(model) {
    this.model = model;
    of("send").disabled = model.prompt === "none";
    if (model.prompt !== "none") return;
    of("progress").textContent = "This model does not go on with a text; its endpoints are in docs/service.md.";
  }

  /// An actor was killed. While a text comes, it has a mark there.
  killed(name) {
    if (!this.running || this.is_comparing) return;
    ++this.kills;
    const mark = document.createElement("span");
    mark.className = "killed";
    mark.title = `${name} was killed here`;
    of("text").append(mark);
    this.tail = null;
    this.show_progress();
  }

  async run() {
    const number = (id) => Number(of(id).value);
    this.asked = { model: this.model.name, seed: number("seed"), max_tokens: number("length"), prompt: of("prompt").value };
    this.kills = 0;
    this.tail = null;
    this.said = "";
    of("text").textContent = "";
    of("answer").querySelector(".asked").textContent = this.model.prompt === "text" ? this.asked.prompt : "";
    of("verdict").textContent = "";
    of("again").hidden = true;
    of("answer").setAttribute("aria-busy", "true");
    this.on_begin();
    const outcome = await this.stream(this.asked, (piece) => this.add(piece));
    this.on_end();
    of("answer").removeAttribute("aria-busy");
    this.outcome = outcome;
    this.show_progress(outcome);
    of("again").hidden = !(outcome === "complete" && this.kills > 0);
  }

  add(piece) {
    const box = of("answer"), follows = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    this.said += piece;
    if (!this.tail) of("text").append((this.tail = document.createTextNode("")));
    this.tail.appendData(piece);
    if (follows) box.scrollTop = box.scrollHeight;
    this.show_progress();
  }

  async compare() {
    of("again").hidden = true;
    of("verdict").textContent = "The same once more, and nobody is killed …";
    this.is_comparing = true;
    let text = "";
    const outcome = await this.stream(this.asked, (piece) => (text += piece));
    this.is_comparing = false;
    const bytes = new TextEncoder().encode(text).length.toLocaleString("en");
    const many = `${this.kills} actor${this.kills === 1 ? " was" : "s were"} killed`;
    of("verdict").textContent =
      outcome !== "complete" ? `It did not finish: ${outcome}` : text === this.said ? `✓ Identical, all ${bytes} bytes, although ${many}.`
      : "✕ Not the same text. That is a bug: please report it.";
    this.show_progress(this.outcome);
  }

  /// "complete", "stopped", or what went wrong. add(text): for each piece.
  async stream({ prompt, ...asked }, add) {
    const is_chat = this.model.prompt === "chat";
    const body = { ...asked, stream: true, ...(is_chat ? { messages: [{ role: "user", content: prompt }] } : { prompt }) };
    this.running = new AbortController();
    this.tokens = 0;
    this.since = performance.now();
    this.swap("send", "stop");
    try {
      const answer = await fetch(is_chat ? "/v1/chat/completions" : "/v1/completions", {
        method: "POST", body: JSON.stringify(body), signal: this.running.signal,
        headers: { "content-type": "application/json", ...api_headers() } });
      if (!answer.ok) return await error_of(answer);
      let reason = null;
      for await (const { data } of events_of(answer)) {
        if (data === "[DONE]") break;
        const { choices, error } = JSON.parse(data);
        if (error) return error.message;
        const [choice] = choices ?? [];
        if (!choice) continue;
        ++this.tokens;
        reason = choice.finish_reason ?? reason;
        const piece = is_chat ? choice.delta.content : choice.text;
        if (piece) add(piece);
      }
      return reason ? "complete" : "the stream was cut";
    } catch (error) {
      return error.name === "AbortError" ? "stopped" : error.message;
    } finally {
      this.running = null;
      this.swap("stop", "send");
    }
  }

  /// Shows one button in the place of another. Who stands on it stays there.
  swap(from, to) {
    const has_focus = document.activeElement === of(from);
    of(from).hidden = true;
    of(to).hidden = false;
    if (has_focus) of(to).focus({ preventScroll: true });
  }

  show_progress(outcome) {
    const seconds = (performance.now() - this.since) / 1000;
    if (!outcome) this.rate = seconds > 0.05 ? this.tokens / seconds : 0;
    const parts = [`${this.tokens.toLocaleString("en")} tokens`];
    if (this.rate) parts.push(`${this.rate < 10 ? this.rate.toFixed(1) : Math.round(this.rate).toLocaleString("en")} a second`);
    if (this.kills) parts.push(`${this.kills} killed meanwhile`);
    if (outcome && outcome !== "complete") parts.push(outcome);
    of("progress").textContent = parts.join(" · ");
  }
}
