// One process: its profiles as Go's index has them, its numbers over time, windows of
// the past, downloads.
import { formatDuration, formatValue } from "./format.js";
import { get } from "./api.js";
import { button, el, replace } from "./dom.js";
import { ChartGroup, SERIES, clock, series } from "./chart.js";

// Those with samples that add up, so that a window of the past makes sense.
const PAST = [["profile", "CPU"], ["allocs", "Allocations"], ["heap", "Heap"], ["block", "Block"], ["mutex", "Mutex"]];
const FORMATS = [v => formatValue(v, "bytes"), v => formatValue(v, "bytes") + "/s", v => v.toFixed(0) + "%", v => v.toFixed(0)];

function profileRow(process, profile) {
  const base = `/p/${process.id}`, raw = `${base}/debug/pprof/${profile.name}`;
  const isWindow = ["wall", "trace"].includes(profile.name); // taken from outside, or for another viewer
  const isView = profile.name !== "cmdline" && !isWindow;
  const isThreads = ["goroutine", "threads"].includes(profile.name);
  const canTake = isView && (profile.name !== "profile" || process.running);
  const name = isView ? el("a", { href: isThreads ? `${base}/threads` : `${base}/${profile.name}` }, profile.name) :
    profile.name === "cmdline" ? el("a", { href: raw, target: "_blank" }, profile.name) : profile.name;
  const links = [];
  if (canTake)
    links.push(el("a", { href: profile.name === "profile" ? raw + "?seconds=10" : raw, download: `${process.name}.${process.pid}.${profile.name}.pb.gz` },
      profile.name === "profile" ? "10 s pprof" : "pprof"));
  if (isWindow && process.running)
    links.push(el("a", { href: raw + "?seconds=10", download: `${process.name}.${process.pid}.${profile.name === "wall" ? "wall.pb.gz" : "pftrace"}` },
      profile.name === "wall" ? "10 s pprof" : "10 s for Perfetto"));
  if (isView && profile.name !== "profile")
    links.push(" ", el("a", { href: raw + "?debug=1", target: "_blank" }, "text"));
  if (isThreads)
    links.push(" ", el("a", { href: raw + "?debug=2", target: "_blank" }, "stacks"));
  return el("tr", {}, el("td", {}, String(profile.count)), el("td", { class: "name" }, name),
            el("td", { class: "text" }, profile.text), el("td", { class: "links" }, links));
}

export function showProcess(page, id) {
  let timer = 0, closed = false, since = 0, history = null, process = null;
  const facts = el("dl", { class: "facts" }), profiles = el("tbody"), chosen = el("div", { class: "toolbar chosen", role: "status" });
  const charts = new ChartGroup(choose);
  page.crumbs([["Processes", "/"], [id]]);
  page.main.classList.add("page");
  const title = el("h1", {}, id), command = el("p", { class: "command" });
  page.main.append(title, command, facts,
    el("h2", {}, "Profiles"),
    el("div", { class: "scroll" }, el("table", { class: "plain", id: "profiles" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Count"), el("th", { class: "name", scope: "col" }, "Profile"),
                        el("th", { class: "text", scope: "col" }, "What it shows"), el("th", { class: "links", scope: "col" }, "Download"))),
      profiles)),
    el("h2", {}, "Over time"), chosen,
    el("div", { class: "charts" }, SERIES.map((name, i) => charts.add(name, FORMATS[i]))));

  function choose(from, to) {
    page.setParams({ from: from || null, to: to || null });
    if (!from)
      return replace(chosen, el("span", { class: "note" }, "Drag over a chart to choose a window of time."));
    const marks = process ? process.marks.filter(m => m >= from - 5e9 && m <= to + 5e9) : [];
    replace(chosen, el("span", {}, `${clock(from)} – ${clock(to)} (${formatDuration((to - from) / 1e9)}): `),
      PAST.map(([name, text]) => el("a", { class: "button", href: `/p/${id}/${name}?from=${from}&to=${to}` }, text)),
      button("Clear", () => { charts.setRange(0, 0); choose(0, 0); }),
      marks.length < 2 && el("span", { class: "note" }, "Profiles are kept every 5 s while there is something new: choose a longer window if this one is empty."));
  }

  function drawFacts() {
    const seconds = ((process.end_ns || process.now_ns) - process.start_ns) / 1e9;
    title.textContent = `${process.name} ${process.pid}`;
    command.textContent = process.command;
    const state = el("span", { class: process.running ? "running" : /^(exited 0|execed)$/.test(process.state) ? "ended" : "failed" }, process.state);
    const facts_ = [["State", state], ["Started", new Date(process.start_ns / 1e6).toLocaleString()],
                    [process.running ? "Uptime" : "Ran for", formatDuration(seconds)],
                    process.running && ["CPU", process.cpu_percent.toFixed(1) + "%"], ["CPU time", formatValue(process.cpu_ns, "nanoseconds")],
                    ["Heap in use", formatValue(process.heap_inuse, "bytes")], ["Allocated", formatValue(process.heap_alloc, "bytes")],
                    process.running && ["Threads", String(process.threads)], ["Program", process.exe]];
    replace(facts, facts_.filter(Boolean).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
    // Links stay under the pointer: only what changed is replaced.
    const rows = process.profiles.map(profile => profileRow(process, profile));
    if (profiles.textContent !== rows.map(row => row.textContent).join(""))
      replace(profiles, rows);
  }

  async function refresh() {
    try {
      [process, history] = await Promise.all([get(["processes", id]), readHistory()]);
      if (closed)
        return;
      page.note("");
      page.crumbs([["Processes", "/"], [`${process.name} ${id}`]]);
      drawFacts();
      charts.setData(...series(history));
      if (!chosen.firstChild) {
        const from = +page.params.get("from"), to = +page.params.get("to");
        charts.setRange(from, to);
        choose(from, to);
      }
    } catch (error) {
      page.note(error.message, true);
      if (error.status === 404)
        return replace(page.main, el("p", { class: "empty" }, "This process is not known (any more). ", el("a", { href: "/" }, "All processes")));
    }
    if (!closed && (!process || process.running))
      timer = setTimeout(refresh, 1000);
  }

  // Only what is new comes over the wire.
  async function readHistory() {
    const more = await get(["processes", id, "history"], { since });
    const n = more.time_ns.length;
    if (n)
      since = more.time_ns[n - 1] + 1000; // beyond what a double has lost
    if (!history)
      return more;
    for (const [key, column] of Object.entries(more))
      if (Array.isArray(column))
        history[key] = history[key].concat(column).slice(-900);
    return history;
  }

  refresh();
  return () => {
    closed = true;
    clearTimeout(timer);
    charts.close();
  };
}
