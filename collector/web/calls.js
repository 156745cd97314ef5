// Who calls the chosen function, and what it calls.
import { formatShare, formatValue } from "./format.js";
import { button, el, replace } from "./dom.js";
import { bar } from "./top.js";

function rows(list, flame, unit, total, choose, none) {
  return list.map(row => {
    const name = row.index < 0 ? none : flame.frames.names[row.index];
    return el("tr", {}, el("td", {}, bar(row.value, total, formatValue(row.value, unit))), el("td", { class: "share" }, formatShare(row.value, total)),
              el("td", { class: "name" }, row.index < 0 ? el("small", {}, none) : button(name, () => choose(name), { class: "link", title: name })));
  });
}

function section(title, body, id) {
  return el("section", {}, el("h3", {}, title), el("div", { class: "scroll" }, el("table", { class: "plain", id }, el("tbody", {}, body))));
}

// flame, tree (not inverted), name, unit, total; choose(name).
export function showCalls(parent, { flame, tree, name, unit, total, choose }) {
  const row = tree.functions().find(r => r.name === name);
  if (!row)
    return replace(parent, el("p", { class: "empty" }, "This function is not in this profile."));
  const { callers, callees } = tree.neighbours(row.index);
  const inner = rows(callees, flame, unit, total, choose, "");
  if (row.self)
    inner.push(el("tr", { class: "self" }, el("td", {}, bar(row.self, total, formatValue(row.self, unit))), el("td", { class: "share" }, formatShare(row.self, total)),
                  el("td", { class: "name" }, el("small", {}, "(the function itself)"))));
  replace(parent,
    section(`Callers (${callers.length})`, rows(callers, flame, unit, total, choose, "(the outermost frame)"), "callers"),
    el("p", { class: "middle" }, el("code", {}, name), ` ${formatValue(row.total, unit)} in all, ${formatValue(row.self, unit)} self`),
    section(`Callees (${callees.length})`, inner, "callees"));
}
