// The loss of a training run, as it grows.

const of = (id) => document.getElementById(id);
const whole = (number) => Math.round(number).toLocaleString("en");
const ticks_wanted = 4;

/// Round numbers that lie in [low, high].
function ticks_between(low, high) {
  const rough = (high - low) / ticks_wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high; ++i) ticks.push(Number((i * step).toPrecision(6)));
  return ticks;
}

function label(text, side, share) {
  const made = document.createElement("span");
  made.textContent = text;
  made.style[side] = `${(100 * share).toFixed(2)}%`;
  return made;
}

export class training_view {
  /// news: as the server sends it; nothing where no run is watched.
  show(news) {
    of("training").hidden = !news && !this.run;
    if (!news) return;
    const { points = [], validation = [] } = news.anew ? {} : this.run;
    this.run = { ...news, points: [...points, ...news.points], validation: [...validation, ...news.validation] };
    this.#draw();
  }

  #draw() {
    const { name, points, validation, update, loss, accuracy, tokens_per_second } = this.run;
    of("training-name").textContent = name;
    of("loss-figures").textContent = points.length
      ? `Update ${whole(update)}: loss ${loss.toFixed(3)}, ${(100 * accuracy).toFixed(1)} % of the targets right, ${whole(tokens_per_second)} tokens/s` +
        (validation.length ? `; validation ${validation.at(-1)[1].toFixed(3)}` : "")
      : "The run has not done a step yet.";
    of("loss-curve").hidden = points.length < 2;
    if (points.length < 2) return;
    const all = [...points, ...validation];
    const last = Math.max(...all.map(([at]) => at));
    let low = Math.min(...all.map(([, value]) => value)), high = Math.max(...all.map(([, value]) => value));
    const margin = 0.04 * (high - low || 1);
    low -= margin;
    high += margin;
    const height = (value) => (high - value) / (high - low);
    const path = (line) => (line.length > 1
      ? `M${line.map(([at, value]) => `${(100 * at / last).toFixed(2)} ${(100 * height(value)).toFixed(2)}`).join("L")}` : "");
    of("training-line").setAttribute("d", path(points));
    of("validation-line").setAttribute("d", path(validation));
    of("losses").replaceChildren(...ticks_between(low, high).map((tick) => label(String(tick), "top", height(tick))));
    of("updates").replaceChildren(...ticks_between(0, last).filter((tick) => tick > 0 && tick < 0.97 * last)
      .map((tick) => label(whole(tick), "left", tick / last)));
    of("loss-lines").setAttribute("aria-label", `Loss of ${name} from ${points[0][1].toFixed(2)} to ${points.at(-1)[1].toFixed(2)} in ` +
      `${whole(update)} updates`);
  }
}
