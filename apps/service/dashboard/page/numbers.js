// The figures at the top.

const kept = 120; // Values of the line: a minute.
const of = (id) => document.getElementById(id);
const whole = (number) => Math.round(number).toLocaleString("en");
const percent = (share) => (share > 0 && share < 0.01 ? "<1" : Math.round(100 * share)) + " %";

export class numbers_view {
  begin(threads) {
    this.threads = threads;
    this.seen = [];    // The latest figures, for rates over two seconds.
    this.rates = [];
    this.replayed = 0; // Since the page was opened.
  }
  recovered = 0;

  show(now) {
    const before = this.seen.at(-1);
    this.seen.push(now);
    if (this.seen.length > 5) this.seen.shift();
    const first = this.seen[0], seconds = (now.time_ms - first.time_ms) / 1000;
    // A scheduler that was started again counts from 0.
    if (before) this.replayed += now.rows_replayed < before.rows_replayed ? now.rows_replayed : now.rows_replayed - before.rows_replayed;
    const rate = (what) => (seconds > 0 ? (now[what] - first[what]) / seconds : 0);
    const tokens = rate("tokens");
    if (before) this.rates.push((now.tokens - before.tokens) / Math.max(0.001, (now.time_ms - before.time_ms) / 1000));
    if (this.rates.length > kept) this.rates.shift();
    of("tokens").textContent = tokens > 0 && tokens < 10 ? tokens.toFixed(1) : whole(tokens);
    of("running").textContent = whole(now.running);
    of("waiting").textContent = now.waiting ? `running, ${whole(now.waiting)} waiting` : "running, none waiting";
    of("busy").textContent = percent(Math.min(1, rate("busy_ms") / 1000 / this.threads));
    of("threads").textContent = `of ${this.threads} thread${this.threads === 1 ? "" : "s"}`;
    of("cache").textContent = percent(now.cache_max ? now.cache_used / now.cache_max : 0);
    of("positions").textContent = `${whole(now.cache_used)} of ${whole(now.cache_max)} positions`;
    of("recovered").textContent = whole(this.recovered);
    of("replayed").textContent = this.replayed ? `${whole(this.replayed)} rows replayed` : "";
    this.draw_line();
  }

  draw_line() {
    const top = Math.max(1, ...this.rates), step = 120 / (kept - 1);
    const from = kept - this.rates.length;
    const points = this.rates.map((rate, i) => `${((from + i) * step).toFixed(1)} ${(29 - 27 * (rate / top)).toFixed(1)}`);
    of("tokens-line").firstElementChild.setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
  }
}
