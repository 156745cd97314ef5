// A profile: flame graph, top, call tree; beside them the chosen function's callers,
// source or machine code. All of what is chosen stands in the address.
import { formatChange, formatDuration, formatShare, formatValue } from "./format.js";
import { FlameGraph } from "./flame.js";
import { Flame } from "./tree.js";
import { get, post } from "./api.js";
import { button, el, replace, select, toggle } from "./dom.js";
import { chooseBase, chooseThreads, exportMenu } from "./choices.js";
import { clock } from "./chart.js";
import { CallTree } from "./calltree.js";
import { Top } from "./top.js";
import { Side } from "./side.js";
import { showPast } from "./past.js";

const VIEWS = [["flame", "Flame graph"], ["top", "Top"], ["tree", "Call tree"]];

// "since the start, until 12:00:10" or "12:00:00 – 12:00:10".
function describeTime(view) {
  if (view.from_ns && view.process)
    return `${clock(view.from_ns)} – ${clock(view.to_ns)} (${formatDuration((view.to_ns - view.from_ns) / 1e9)})`;
  return view.to_ns ? (view.process ? "until " + clock(view.to_ns) : new Date(view.to_ns / 1e6).toLocaleString()) : "";
}

class ProfilePage {
  constructor(page, process, name, viewId) {
    this.page = page;
    this.process = process;
    this.profileName = name;
    this.viewId = viewId;
    this.abort = new AbortController();
    this.flameArea = el("div", { class: "flame-area" });
    this.tableArea = el("div", { class: "table-area" });
    this.tip = el("div", { class: "tip", hidden: true });
    this.status = el("div", { class: "status", id: "info", role: "status" });
    this.side = new Side({ turn: pane => { this.set({ pane }, true); this.drawSide(); }, choose: f => this.choose(f) });
    this.found = el("span", { class: "note", id: "found", role: "status" });
    this.about = el("div", { class: "about" });
    this.tools = el("div", { class: "toolbar tools" });
    this.work = el("div", { class: "work" });
    this.past = el("div", { class: "past", hidden: true });
    this.panes = el("div", { class: "panes" }, el("div", { class: "main-pane" }, this.flameArea, this.tableArea), this.side.element);
    page.main.classList.add("profile");
    page.main.append(this.about, this.tools, this.past, this.work, this.panes, this.status, this.tip);
    this.graph = new FlameGraph(this.flameArea, {
      hover: (node, event) => this.hover(node, event),
      select: node => { this.node = node; this.describe(node); },
      zoom: node => this.zoomed(node),
    });
    this.top = new Top(this.tableArea, { choose: f => this.choose(f), order: (key, down) => { this.set({ sort: key, down: down ? null : "0" }); this.draw(); } });
    this.callTree = new CallTree(this.tableArea, { choose: f => this.choose(f) });
    document.addEventListener("keydown", this.onKey = event => this.key(event));
  }

  close() {
    this.abort.abort();
    this.graph.close();
    this.top.close();
    this.callTree.close();
    if (this.closePast)
      this.closePast();
    document.removeEventListener("keydown", this.onKey);
  }

  get(key) { return this.page.params.get(key); }
  set(changes, push) { this.page.setParams(changes, push); }

  // ---- Loading ----

  async start() {
    performance.clearMarks("profile drawn");
    try {
      await this.find();
      this.remember();
      await this.load();
    } catch (error) {
      if (error.name === "AbortError")
        return;
      this.page.note(error.message, true);
      replace(this.panes, el("p", { class: "empty" }, error.message + " ", button("Try again", () => this.page.go(location.pathname, true))));
    }
  }

  // The view the address names; if it is forgotten, or none is named, a new one.
  async find() {
    const id = this.viewId || this.get("view"), signal = this.abort.signal;
    this.crumbs();
    if (id) {
      try {
        this.view = await get(["views", id], {}, signal);
        this.process = this.process || this.view.process || null;
        return;
      } catch (error) {
        if (error.status !== 404 || !this.process)
          throw error;
        this.set({ view: null, zoom: null, base: null });
        this.page.note("The linked moment is not kept any more: this is now.", true);
      }
    }
    const from = +this.get("from"), to = +this.get("to");
    this.page.note("Taking the profile…");
    this.view = await post(["processes", this.process, "views"],
                           from ? { profile: this.profileName, from_ns: from, to_ns: to } : { profile: this.profileName }, signal);
    this.page.note("");
    this.set({ view: this.view.id, from: null, to: null });
  }

  crumbs() {
    const view = this.view;
    const who = view ? `${view.program} ${view.process}`.trim() : this.process;
    this.page.crumbs(this.process ? [["Processes", "/"], [who, `/p/${this.process}`], [this.profileName || view.name]] :
      [["Files", "/"], [view ? view.name : "…"]]);
  }

  query() {
    return { thread: this.get("thread"), tid: this.get("tid"), group: this.get("group"), base: this.get("base"), normalize: this.get("normalize") };
  }

  async load() {
    this.crumbs();
    this.page.note("Loading…");
    const [data, process, files] = await Promise.all([
      get(["views", this.view.id, "flame"], this.query(), this.abort.signal),
      this.process ? get(["processes", this.process]).catch(() => null) : null,
      this.process ? null : get(["processes"]).then(p => p.files),
    ]);
    this.flame = new Flame(data);
    this.running = Boolean(process && process.running);
    this.files = files;
    this.page.note("");
    this.drawTools();
    this.draw();
  }

  async reload(changes) {
    this.set({ zoom: null, ...changes }, true);
    performance.clearMarks("profile drawn");
    this.page.note("Loading…");
    try {
      if (this.get("view") && this.get("view") !== this.view.id) {
        this.view = await get(["views", this.get("view")], {}, this.abort.signal);
        this.remember();
      }
      await this.load();
    } catch (error) {
      if (error.name !== "AbortError")
        this.page.note(error.message, true);
    }
  }

  // Views of this profile seen in this tab: what can be compared with.
  remember(view = this.view) {
    if (!this.process)
      return;
    const key = `views ${this.process} ${this.profileName}`, list = this.seen = JSON.parse(sessionStorage.getItem(key) || "[]");
    if (!list.some(v => v.id === view.id))
      list.push({ id: view.id, text: describeTime(view) });
    sessionStorage.setItem(key, JSON.stringify(list.slice(-20)));
  }

  // ---- What is shown ----

  get type() {
    const types = this.flame.types, wanted = this.get("type");
    const at = types.findIndex(t => t.type === wanted);
    return at >= 0 ? at : this.flame.data.default;
  }
  get unit() { return this.flame.types[this.type].unit; }
  get shown() { return this.get("v") || "flame"; }

  // Beside a flame graph only when asked for: it wants the width.
  get sideOpen() { return this.get("side") ? this.get("side") === "1" : this.shown !== "flame" && Boolean(this.get("fn")); }

  // Percentages are of this: of a comparison, of what it is compared with, as in pprof.
  get total() {
    const tree = this.flame.tree(this.type, false);
    return tree.baseTotal && tree.baseTotal[0] ? tree.baseTotal[0] : tree.total[0];
  }

  draw() {
    const inverted = this.get("invert") === "1", view = this.shown;
    const tree = this.tree = this.flame.tree(this.type, inverted);
    this.node = 0;
    this.flameArea.hidden = view !== "flame";
    this.tableArea.hidden = view === "flame";
    this.search();
    if (view === "flame") {
      this.graph.setTree(tree, +this.get("zoom") || 0);
      this.graph.setHits(this.result && this.result.hits);
      this.describe(this.graph.root);
    } else {
      this.drawTable();
    }
    this.drawSide();
    this.drawEmpty();
    performance.mark("profile drawn");
  }

  drawEmpty() {
    const nothing = this.tree.size === 1;
    this.panes.classList.toggle("nothing", nothing);
    replace(this.work, nothing && el("p", { class: "empty" }, this.emptyText()));
  }

  emptyText() {
    const name = this.profileName || "";
    if (name === "block" || name === "mutex") return "No thread had to wait for another one.";
    if (name === "profile" || name === "cpu") return "No CPU time was sampled: the process was idle, or the window too short.";
    return "There are no samples.";
  }

  drawTable() {
    const what = { flame: this.flame, tree: this.tree, unit: this.unit, total: this.total, chosen: this.get("fn"),
                   matches: this.matcher, hits: this.result && this.result.hits };
    if (this.shown === "top") {
      this.callTree.tree = null;
      this.status.textContent = this.top.show({ ...what, tree: this.flame.tree(this.type, false), sort: this.get("sort"), down: this.get("down") !== "0" });
    } else {
      this.top.tree = null;
      this.callTree.show({ ...what, root: +this.get("zoom") || 0 });
      this.status.textContent = "Arrow keys open and close branches.";
    }
  }

  search() {
    const text = this.get("q");
    this.matcher = this.result = null;
    this.found.textContent = "";
    if (!text)
      return;
    try {
      const expression = new RegExp(text, "i");
      this.matcher = name => expression.test(name);
    } catch (error) {
      this.found.textContent = "not a regular expression";
      return;
    }
    this.result = this.tree.search(this.matcher);
    this.found.textContent = `${this.result.matched} frames, ${formatShare(this.result.weight, this.tree.total[0])}`;
  }

  zoomed(node) {
    this.node = node;
    this.set({ zoom: node || null }, true);
    this.describe(node);
    if (node)
      this.choose(this.tree.name(node), true);
  }

  // Clicks on a name anywhere.
  choose(name, quiet = false) {
    if (name === "all" || name === this.get("fn"))
      return;
    this.set({ fn: name }, !quiet);
    if (this.shown === "top" && !quiet)
      this.drawTable();
    this.drawSide();
    document.getElementById("details").setAttribute("aria-pressed", this.sideOpen);
  }

  // ---- Describing a frame ----

  facts(node) {
    const tree = this.tree, frames = this.flame.frames, unit = this.unit, frame = tree.frame[node];
    const facts = [["Total", `${formatValue(tree.total[node], unit)} (${formatShare(tree.total[node], this.total)})`]];
    if (this.get("invert") !== "1") // upside down a frame's own cost is its callees' total
      facts.push(["Self", `${formatValue(tree.self[node], unit)} (${formatShare(tree.self[node], this.total)})`]);
    if (tree.baseTotal)
      facts.push(["Before", formatValue(tree.baseTotal[node], unit)], ["Change", formatChange(tree.total[node] - tree.baseTotal[node], unit)]);
    if (node && frames.file(frame))
      facts.push(["Source", frames.file(frame) + (frames.line[frame] ? ":" + frames.line[frame] : "")]);
    if (node && frames.object(frame))
      facts.push(["Module", frames.object(frame)]);
    return facts;
  }

  describe(node) {
    if (this.shown !== "flame")
      return;
    replace(this.status, el("strong", {}, this.tree.name(node)), this.facts(node).map(([name, text]) => el("span", {}, el("span", { class: "faint" }, " " + name + " "), text)));
  }

  hover(node, event) {
    this.tip.hidden = node < 0;
    if (node < 0)
      return this.describe(this.node);
    this.describe(node);
    replace(this.tip, el("strong", {}, this.tree.name(node)), el("dl", {}, this.facts(node).map(([name, text]) => [el("dt", {}, name), el("dd", {}, text)])));
    const width = this.tip.offsetWidth, height = this.tip.offsetHeight;
    this.tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8)) + "px";
    this.tip.style.top = (event.clientY + 18 + height > innerHeight ? Math.max(4, event.clientY - height - 10) : event.clientY + 18) + "px";
  }

  // ---- The side ----

  drawSide() {
    const open = this.sideOpen;
    this.panes.classList.toggle("with-side", open);
    this.side.draw(open, {
      name: this.get("fn"), pane: this.get("pane"), flame: this.flame, type: this.type, unit: this.unit, total: this.total,
      view: this.view.id, query: { ...this.query(), type: this.flame.types[this.type].type },
    });
  }

  // ---- Tools ----

  drawTools() {
    const view = this.view, types = this.flame.types;
    replace(this.about, el("h1", {}, this.profileName || view.name), el("span", { class: "note" }, describeTime(view)),
            view.comments.length ? el("details", {}, el("summary", {}, "Comments"), el("ul", {}, view.comments.map(c => el("li", {}, c)))) : null);
    const tabs = el("div", { class: "tabs", role: "tablist" }, VIEWS.map(([key, text]) => el("button", {
      type: "button", role: "tab", data: { view: key }, aria: { selected: key === this.shown },
      on: { click: () => this.show(key) } }, text)));
    this.input = el("input", { type: "search", id: "search", value: this.get("q") || "", placeholder: "Search: regexp ( / )", aria: { label: "Search functions" },
      on: { input: () => { this.set({ q: this.input.value }); this.searchSoon(); } } });
    replace(this.tools, tabs,
      types.length > 1 && select("Sample type", types.map(t => [t.type, t.type.replace(/_/g, " ")]), types[this.type].type, type => { this.set({ type }, true); this.draw(); }, { id: "type" }),
      chooseThreads(view.threads, key => this.get(key), changes => this.reload(changes)),
      toggle("Invert", this.get("invert") === "1", on => { this.set({ invert: on ? "1" : null, zoom: null }, true); this.draw(); }, { id: "invert", title: "Callees at the top: who calls what costs ( i )" }),
      toggle("Details", this.sideOpen, on => { this.set({ side: on ? "1" : "0" }); this.drawSide(); }, { id: "details", title: "Source, callers and callees of the chosen function ( d )" }),
      this.compareTool(), this.windowTool(), exportMenu(view, { ...this.query(), type: types[this.type].type }),
      el("span", { class: "searching" }, this.input, this.found));
  }

  show(key) {
    this.set({ v: key === "flame" ? null : key, side: null }, true);
    this.drawTools();
    this.draw();
  }

  searchSoon() {
    clearTimeout(this.searchTimer);
    this.searchTimer = setTimeout(() => {
      this.search();
      if (this.shown === "flame")
        this.graph.setHits(this.result && this.result.hits);
      else
        this.drawTable();
    }, 60);
  }

  // With what was seen in this tab, with the files of the same types, with the past.
  compareTool() {
    const types = view => view.sample_types.map(t => t.type).join();
    const seen = (this.seen || []).map(v => [v.id, v.text]);
    const files = (this.files || []).filter(f => types(f) === types(this.view)).map(f => [f.id, f.name]);
    return chooseBase([...seen, ...files].filter(([id]) => id !== this.view.id), key => this.get(key),
                      changes => this.reload(changes), this.process && (() => this.showPast()));
  }

  showPast() {
    this.past.hidden = false;
    if (this.closePast)
      this.closePast();
    this.closePast = showPast(this.past, {
      process: this.process, profile: this.profileName,
      show: view => this.reload({ view: view.id, base: null }),
      compare: (view, normalize) => {
        this.remember(view);
        this.reload({ base: view.id, normalize: normalize ? "1" : null });
      },
      close: () => { this.past.hidden = true; this.drawTools(); },
      note: (text, bad) => this.page.note(text, bad),
    });
  }

  windowTool() {
    if (!this.process)
      return null;
    const again = button("Now", async () => {
      const view = await this.take({});
      if (view)
        this.reload({ view: view.id });
    }, { title: "Take the profile as it is now", id: "again" });
    const record = this.running && select("Record a window", [["", "Record…"], [1, "1 s"], [5, "5 s"], [10, "10 s"], [30, "30 s"], [60, "60 s"]], "",
                                          seconds => this.record(+seconds), { id: "seconds" });
    return el("span", { class: "group-tools" }, again, record,
              button("Past…", () => this.showPast(), { title: "Choose a window of the last quarter of an hour", id: "past" }));
  }

  async take(wish, signal = this.abort.signal) {
    try {
      return await post(["processes", this.process, "views"], { profile: this.profileName, ...wish }, signal);
    } catch (error) {
      if (error.name !== "AbortError")
        this.page.note(error.message, true);
      return null;
    }
  }

  async record(seconds) {
    const cancel = new AbortController(), started = performance.now();
    const meter = el("progress", { max: seconds, value: 0, aria: { label: "Recording" } }), left = el("span", { class: "note" });
    replace(this.work, el("div", { class: "toolbar recording" }, "Recording ", meter, left, button("Cancel", () => cancel.abort())));
    const timer = setInterval(() => {
      const passed = (performance.now() - started) / 1000;
      meter.value = Math.min(seconds, passed);
      left.textContent = passed < seconds ? `${Math.ceil(seconds - passed)} s left` : "finishing…";
    }, 100);
    const view = await this.take({ seconds }, AbortSignal.any([cancel.signal, this.abort.signal]));
    clearInterval(timer);
    replace(this.work);
    if (view)
      this.reload({ view: view.id });
    else
      this.drawTools();
  }

  key(event) {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.ctrlKey || event.metaKey || event.altKey)
      return;
    if (event.target === this.input && event.key === "Escape") {
      this.input.value = "";
      this.set({ q: null });
      this.searchSoon();
      this.input.blur();
    } else if (typing) {
      return;
    } else if (event.key === "/") {
      this.input.focus();
      this.input.select();
    } else if ("123".includes(event.key)) {
      this.show(VIEWS[event.key - 1][0]);
    } else if (event.key === "i" || event.key === "d") {
      document.getElementById(event.key === "i" ? "invert" : "details").click();
    } else {
      return;
    }
    event.preventDefault();
  }
}

export function showProfile(page, process, name, viewId) {
  const shown = new ProfilePage(page, process, name, viewId);
  shown.start();
  return () => shown.close();
}
