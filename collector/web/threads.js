// What every thread does now: equal stacks together, each thread with its state.
import { baseName, formatValue } from "./format.js";
import { get } from "./api.js";
import { button, el, replace } from "./dom.js";
import { clock } from "./chart.js";

const FRAMES = 12; // shown before "more"

function group(threads) {
  const groups = new Map();
  for (const thread of threads) {
    const key = JSON.stringify(thread.stack.map(f => [f.name, f.file, f.line]));
    if (!groups.has(key))
      groups.set(key, { stack: thread.stack, threads: [], count: 0 });
    groups.get(key).threads.push(thread);
    groups.get(key).count += thread.count;
  }
  return [...groups.values()].sort((a, b) => b.count - a.count);
}

function frameRow(frame) {
  const place = frame.file ? `${frame.file}:${frame.line}` : frame.object;
  return el("li", {}, el("code", {}, frame.name), el("small", { title: place }, frame.file ? `${baseName(frame.file)}:${frame.line}` : baseName(frame.object)));
}

function stackList(stack) {
  const list = el("ol", { class: "stack" }, stack.slice(0, FRAMES).map(frameRow));
  if (stack.length > FRAMES) {
    const more = el("li", {}, button(`${stack.length - FRAMES} more frames`, () => more.replaceWith(...stack.slice(FRAMES).map(frameRow)), { class: "link" }));
    list.append(more);
  }
  return list;
}

function threadRow(thread) {
  return el("tr", {}, el("td", { class: "name" }, thread.thread || "?"), el("td", {}, thread.tid === undefined ? "" : String(thread.tid)),
            el("td", { class: "name" }, thread.state || "", thread.wchan ? el("small", {}, " in " + thread.wchan) : null),
            el("td", {}, thread.wait ? formatValue(thread.wait, "nanoseconds") : ""));
}

export function showThreads(page, id) {
  let closed = false, groups = [], filter = page.params.get("q") || "";
  const list = el("div", { class: "groups", id: "groups" }), count = el("span", { class: "note", role: "status" });
  const input = el("input", { type: "search", value: filter, placeholder: "Filter by name, state or function ( / )", aria: { label: "Filter threads" },
    on: { input: () => { filter = input.value; page.setParams({ q: filter }); draw(); } } });
  const again = button("Refresh", refresh, { title: "Ask every thread again ( r )" });
  page.main.classList.add("page");
  page.main.append(el("div", { class: "toolbar" }, el("h1", {}, "Threads"), input, again, count), list);
  page.crumbs([["Processes", "/"], [id, `/p/${id}`], ["Threads"]]);

  function draw() {
    const wanted = filter.toLowerCase();
    const shown = groups.filter(g => !wanted || JSON.stringify([g.stack.map(f => f.name), g.threads.map(t => [t.thread, t.state, t.tid])]).toLowerCase().includes(wanted));
    replace(list, shown.map(g => el("section", { class: "group" },
      el("h2", {}, `${g.count} ${g.count === 1 ? "thread" : "threads"}`),
      el("div", { class: "columns" }, stackList(g.stack),
        el("div", { class: "scroll" }, el("table", { class: "plain" },
          el("thead", {}, el("tr", {}, el("th", { class: "name", scope: "col" }, "Thread"), el("th", { scope: "col" }, "TID"), el("th", { class: "name", scope: "col" }, "State"), el("th", { scope: "col" }, "For"))),
          el("tbody", {}, g.threads.map(threadRow))))))));
    if (!shown.length)
      list.append(el("p", { class: "empty" }, groups.length ? "No thread matches." : "No thread was seen."));
  }

  async function refresh() {
    again.disabled = true;
    page.note("Asking the threads…");
    try {
      const answer = await get(["processes", id, "threads"]);
      if (closed)
        return;
      groups = group(answer.threads);
      const n = groups.reduce((sum, g) => sum + g.count, 0);
      count.textContent = `${n} threads, ${groups.length} different stacks, at ${clock(answer.time_ns)}`;
      page.note("");
      draw();
    } catch (error) {
      page.note(error.message, true);
    }
    again.disabled = false;
  }

  const key = event => {
    if (event.target === input || event.ctrlKey || event.metaKey)
      return;
    if (event.key === "/") input.focus();
    else if (event.key === "r") refresh();
    else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", key);
  get(["processes", id]).then(p => { if (!closed) page.crumbs([["Processes", "/"], [`${p.name} ${id}`, `/p/${id}`], ["Threads"]]); }).catch(() => {});
  refresh();
  return () => {
    closed = true;
    document.removeEventListener("keydown", key);
  };
}
