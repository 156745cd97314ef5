// What can be chosen for a profile: whose samples, what to compare with, as what file to take it.
import { address } from "./api.js";
import { el, select, toggle } from "./dom.js";

// chosen(key): the address's parameter; reload(changes): changes them. null: nothing to choose.
export function chooseThreads(threads, chosen, reload) {
  const names = new Map();
  if (!threads.length)
    return null;
  for (const t of threads)
    names.set(t.name, (names.get(t.name) || 0) + 1);
  const options = [["", "All threads"], ["group", "By thread"]];
  for (const [name, n] of names)
    options.push(["thread " + name, n > 1 ? `${name} (${n} threads)` : name || "(no name)"]);
  if (names.size < threads.length)
    for (const t of threads)
      if (names.get(t.name) > 1)
        options.push(["tid " + t.tid, `${t.name} ${t.tid}`]);
  const now = chosen("thread") !== null ? "thread " + chosen("thread") : chosen("tid") ? "tid " + chosen("tid") : chosen("group") ? "group" : "";
  return select("Threads", options, now, value => reload({
    group: value === "group" ? "thread" : null,
    thread: value.startsWith("thread ") ? value.slice(7) : null,
    tid: value.startsWith("tid ") ? value.slice(4) : null,
  }), { id: "threads" });
}

// views: [[id, text], ...]; past: what shows the past to choose from, or null.
export function chooseBase(views, chosen, reload, past) {
  const options = [["", "Compare with…"], ...views], base = chosen("base");
  if (past)
    options.push(["past", "an earlier moment…"]);
  if (base && !options.some(([id]) => id === base))
    options.push([base, "the linked one"]);
  if (options.length === 1)
    return null;
  return el("span", { class: "group-tools" },
    select("Compare with", options, base || "", value => {
      if (value === "past")
        return past();
      reload({ base: value || null, normalize: value ? chosen("normalize") : null });
    }, { id: "base" }),
    base && toggle("Same total", chosen("normalize") === "1", on => reload({ normalize: on ? "1" : null }), { title: "Scale to the total of what is compared with", id: "normalize" }));
}

export function exportMenu(view, query) {
  return el("details", { class: "menu", id: "exports" }, el("summary", {}, "Export"), el("ul", {}, view.exports.map(f =>
    el("li", {}, el("a", { href: address(["views", view.id, "export", f.name], query), download: "" }, f.name), el("small", {}, " " + f.purpose)))));
}
