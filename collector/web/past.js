// Choosing a window of the last quarter of an hour on a chart.
import { formatDuration, formatValue } from "./format.js";
import { get, post } from "./api.js";
import { button, el, replace } from "./dom.js";
import { ChartGroup, SERIES, clock, series } from "./chart.js";

const CHARTS = { heap: [0, 1], allocs: [0, 1], profile: [2], cpu: [2] };
const FORMATS = [v => formatValue(v, "bytes"), v => formatValue(v, "bytes") + "/s", v => v.toFixed(0) + "%", v => v.toFixed(0)];

// on: {process, profile, show(view), compare(view, normalize), close(), note(text, bad)}.
// Returns a function that ends it.
export function showPast(parent, on) {
  const wanted = CHARTS[on.profile] || [2, 1], chosen = el("div", { class: "toolbar chosen" });
  const charts = new ChartGroup(choose);
  let closed = false;

  async function take(wish, use) {
    try {
      use(await post(["processes", on.process, "views"], { profile: on.profile, ...wish }));
      on.note("");
    } catch (error) {
      on.note(error.message, true);
    }
  }

  function choose(from, to) {
    const past = from && { from_ns: from, to_ns: to };
    replace(chosen,
      from ? el("span", {}, `${clock(from)} – ${clock(to)} (${formatDuration((to - from) / 1e9)}): `) :
        el("span", { class: "note" }, "Drag over a chart (or Shift and arrow keys) to choose a window."),
      past && button("Show this window", () => take(past, on.show), { id: "past-show" }),
      past && button("Compare with this window", () => take(past, view => on.compare(view, true)), { id: "past-compare" }),
      past && button("Compare with all until " + clock(to), () => take({ at_ns: to }, view => on.compare(view, false)), { id: "past-compare-at" }),
      button("Close", () => { end(); on.close(); }));
  }

  function end() {
    closed = true;
    charts.close();
    replace(parent);
  }

  replace(parent, chosen, el("div", { class: "charts" }, wanted.map(i => charts.add(SERIES[i], FORMATS[i]))));
  choose(0, 0);
  get(["processes", on.process, "history"]).then(history => {
    if (closed)
      return;
    const [times, columns] = series(history);
    charts.setData(times, wanted.map(i => columns[i]));
  }).catch(error => on.note(error.message, true));
  return end;
}
