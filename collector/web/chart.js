// Small charts of numbers over time that share a time range, a cursor and a selection.
import { el } from "./dom.js";

const HEIGHT = 84, BOTTOM = 16, TOP = 8;

// A group draws its charts together. select(from_ns, to_ns) is called when a range was
// dragged (or chosen with Shift and the arrow keys), select(0, 0) when it was given up.
export class ChartGroup {
  constructor(select) {
    this.select = select;
    this.charts = [];
    this.times = [];
    this.cursor = -1;
    this.range = null; // [index, index]
    this.observer = new ResizeObserver(() => this.draw());
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", this.redraw = () => this.draw());
  }

  close() {
    this.observer.disconnect();
    this.dark.removeEventListener("change", this.redraw);
  }

  // format(value) -> text. Returns the element.
  add(title, format) {
    const step = /B/.test(format(0)) ? 1024 : 1000;
    const canvas = el("canvas", { tabIndex: 0, role: "img" });
    const value = el("span", { class: "value" });
    const chart = { title, format, step, canvas, value, values: [] };
    this.charts.push(chart);
    canvas.addEventListener("pointermove", event => this.move(chart, event));
    canvas.addEventListener("pointerleave", () => { this.cursor = -1; this.draw(); });
    canvas.addEventListener("pointerdown", event => {
      canvas.setPointerCapture(event.pointerId);
      this.start = this.indexAt(chart, event);
    });
    canvas.addEventListener("pointerup", event => this.release(chart, event));
    canvas.addEventListener("pointercancel", () => { this.start = undefined; });
    canvas.addEventListener("keydown", event => this.key(event));
    this.observer.observe(canvas);
    return el("figure", { class: "chart" }, el("figcaption", {}, el("span", {}, title), value), canvas);
  }

  // times: nanoseconds, rising; columns: one list of values for each chart.
  setData(times, columns) {
    const held = this.range && this.range.map(i => this.times[i]);
    this.times = times;
    this.charts.forEach((chart, i) => { chart.values = columns[i]; });
    if (held)
      this.range = held.map(t => this.nearest(t));
    this.draw();
  }

  nearest(time) {
    let best = 0;
    this.times.forEach((t, i) => { if (Math.abs(t - time) < Math.abs(this.times[best] - time)) best = i; });
    return best;
  }

  setRange(from, to) {
    this.range = from && this.times.length ? [this.nearest(from), this.nearest(to)] : null;
    this.draw();
  }

  indexAt(chart, event) {
    const area = chart.canvas.getBoundingClientRect();
    const [first, last] = [this.times[0], this.times[this.times.length - 1]];
    const part = Math.min(1, Math.max(0, (event.clientX - area.left) / area.width));
    return this.times.length ? this.nearest(first + part * (last - first)) : -1;
  }

  move(chart, event) {
    this.cursor = this.indexAt(chart, event);
    if (this.start !== undefined && this.cursor !== this.start)
      this.range = [Math.min(this.start, this.cursor), Math.max(this.start, this.cursor)];
    this.draw();
  }

  release(chart, event) {
    const at = this.indexAt(chart, event);
    if (this.start === undefined || at < 0)
      return;
    this.range = at === this.start ? null : [Math.min(at, this.start), Math.max(at, this.start)];
    this.start = undefined;
    this.tell();
  }

  tell() {
    this.draw();
    this.select(...(this.range ? this.range.map(i => this.times[i]) : [0, 0]));
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    const last = this.times.length - 1;
    if (step && last >= 0) {
      const from = this.cursor < 0 ? last : this.cursor;
      this.cursor = Math.min(last, Math.max(0, from + step));
      if (event.shiftKey) {
        this.anchor = this.anchor === undefined ? from : this.anchor;
        this.range = [Math.min(this.anchor, this.cursor), Math.max(this.anchor, this.cursor)];
      } else {
        this.anchor = undefined;
      }
      this.draw();
    } else if (event.key === "Enter" && this.range) {
      this.tell();
    } else if (event.key === "Escape") {
      this.range = null;
      this.anchor = undefined;
      this.tell();
    } else {
      return;
    }
    event.preventDefault();
  }

  draw() {
    for (const chart of this.charts)
      this.drawChart(chart);
  }

  drawChart(chart) {
    const { canvas, values } = chart, ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, times = this.times, n = times.length;
    if (!width)
      return;
    canvas.width = width * ratio;
    canvas.height = HEIGHT * ratio;
    const c = canvas.getContext("2d"), style = getComputedStyle(canvas);
    const colour = name => style.getPropertyValue(name);
    c.scale(ratio, ratio);
    const most = nice(Math.max(1e-9, ...values), chart.step), floor = HEIGHT - BOTTOM;
    const first = times[0], span = n > 1 ? times[n - 1] - first : 1;
    const x = i => n > 1 ? (times[i] - first) / span * (width - 1) : width - 1;
    const y = v => floor - (floor - TOP) * Math.max(0, v) / most;
    c.font = "10px system-ui, sans-serif";
    c.fillStyle = colour("--faint");
    c.strokeStyle = colour("--line");
    c.lineWidth = 1;
    for (const part of [0, 0.5, 1]) {
      const at = Math.round(y(most * part)) + 0.5;
      c.beginPath();
      c.moveTo(0, at);
      c.lineTo(width, at);
      c.stroke();
    }
    if (n && this.range) {
      c.fillStyle = colour("--selection");
      c.fillRect(x(this.range[0]), TOP, Math.max(1, x(this.range[1]) - x(this.range[0])), floor - TOP);
    }
    if (n > 1) {
      c.beginPath();
      c.moveTo(x(0), y(values[0]));
      for (let i = 1; i < n; i++)
        c.lineTo(x(i), y(values[i]));
      c.strokeStyle = colour("--accent");
      c.lineWidth = 1.5;
      c.stroke();
      c.lineTo(x(n - 1), floor);
      c.lineTo(x(0), floor);
      c.globalAlpha = 0.15;
      c.fillStyle = colour("--accent");
      c.fill();
      c.globalAlpha = 1;
    }
    c.fillStyle = colour("--faint");
    c.textBaseline = "top";
    c.fillText(chart.format(most), 2, TOP + 2);
    if (n) {
      c.textBaseline = "alphabetic";
      c.fillText(clock(first), 2, HEIGHT - 4);
      c.textAlign = "right";
      c.fillText(clock(times[n - 1]), width - 2, HEIGHT - 4);
      c.textAlign = "left";
    }
    const at = this.cursor >= 0 && this.cursor < n ? this.cursor : n - 1;
    if (this.cursor >= 0 && this.cursor < n) {
      c.fillStyle = colour("--ink");
      c.fillRect(Math.round(x(at)), TOP, 1, floor - TOP);
    }
    chart.value.textContent = n ? chart.format(values[at]) + (this.cursor >= 0 ? " at " + clock(times[at]) : "") : "–";
    canvas.setAttribute("aria-label", `${chart.title}: ${chart.value.textContent}`);
  }
}

// 1, 2 or 5 times a power of ten, of the unit that is a power of `step` (1024 for bytes).
function nice(value, step) {
  const unit = step ** Math.max(0, Math.floor(Math.log(value) / Math.log(step)));
  const power = unit * 10 ** Math.floor(Math.log10(value / unit));
  return [1, 2, 5, 10].map(n => n * power).find(n => value <= n);
}

export function clock(time_ns) {
  return new Date(time_ns / 1e6).toLocaleTimeString([], { hour12: false });
}

// What a process's history (api.h) shows: times and a list for each of heap in use,
// allocation rate, CPU and threads. The first second has no rate and is left out.
export const SERIES = ["Heap in use", "Allocation rate", "CPU", "Threads"];
export function series(history) {
  const t = history.time_ns, n = t.length, rates = [[], []];
  for (let i = 1; i < n; i++) {
    // Over three seconds: CPU samples are 10 ms each.
    const from = Math.max(0, i - 3), seconds = (t[i] - t[from]) / 1e9;
    rates[0].push((history.heap_alloc[i] - history.heap_alloc[from]) / seconds);
    rates[1].push((history.cpu_ns[i] - history.cpu_ns[from]) / seconds / 1e7);
  }
  return [t.slice(1), [history.heap_inuse.slice(1), rates[0], rates[1], history.threads.slice(1)]];
}
