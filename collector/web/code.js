// The chosen function's source lines or instructions, each with self and total.
import { baseName, formatShare, formatValue } from "./format.js";
import { get } from "./api.js";
import { button, el, replace } from "./dom.js";
import { bar } from "./top.js";

function row({ self, total }, place, text, { unit, whole, most }) {
  const line = el("tr", { class: self || total ? "costs" : "" },
    el("td", {}, self ? bar(self, most, formatValue(self, unit)) : ""),
    el("td", {}, total ? el("span", { title: `${total} (${formatShare(total, whole)})` }, formatValue(total, unit)) : ""),
    el("td", { class: "place" }, place), el("td", { class: "text" }, text));
  return line;
}

function table(id, body) {
  return el("table", { class: "code", id }, el("thead", {}, el("tr", {},
    ["Self", "Total", "", ""].map(t => el("th", { scope: "col" }, t)))), el("tbody", {}, body));
}

// Hot lines first in view.
function scrollToHot(parent) {
  const hot = parent.querySelector("tr.costs");
  if (hot)
    parent.scrollTop += hot.getBoundingClientRect().top - parent.getBoundingClientRect().top - parent.clientHeight / 2;
}

function largest(rows) {
  return rows.reduce((most, r) => Math.max(most, Math.abs(r[1]), Math.abs(r[2])), 0);
}

// what: {view, query, name, unit, total, assembly()}: assembly shows that instead.
export async function showSource(parent, what, signal) {
  replace(parent, el("p", { class: "note" }, "Reading…"));
  let answer;
  try {
    answer = await get(["views", what.view, "source"], { ...what.query, function: what.name }, signal);
  } catch (error) {
    if (error.name !== "AbortError")
      replace(parent, el("p", { class: "empty" }, error.message));
    return;
  }
  const known = answer.parts.filter(part => part.lines.length);
  if (!known.some(part => !part.why))
    // Nothing to read: machine code says more than an empty table.
    what.missing(answer.parts.map(part => part.why).filter(Boolean)[0] || "No source lines are known of this function.");
  replace(parent, answer.parts.map(part => el("section", {},
    el("h3", { title: part.file }, part.file ? baseName(part.file) : "No source file is known", el("small", {}, " " + part.file)),
    part.why && el("p", { class: "note" }, part.why),
    part.lines.length ? table("source", part.lines.map(([number, self, total, text]) =>
      row({ self, total }, number, text === null ? "" : text, { unit: what.unit, whole: what.total, most: largest(part.lines) }))) : null)));
  scrollToHot(parent);
}

export async function showAssembly(parent, what, signal) {
  replace(parent, el("p", { class: "note" }, "Disassembling…"));
  try {
    const answer = await get(["views", what.view, "assembly"], { ...what.query, function: what.name }, signal);
    const most = largest(answer.lines);
    let last = "";
    const body = answer.lines.flatMap(([address, self, total, text, file, line]) => {
      const place = file ? `${baseName(file)}:${line}` : "", heading = place && place !== last;
      if (place)
        last = place;
      return [heading ? el("tr", { class: "heading" }, el("td"), el("td"), el("td"), el("td", { title: file }, place)) : null,
              row({ self, total }, address, text, { unit: what.unit, whole: what.total, most })].filter(Boolean);
    });
    replace(parent, el("section", {}, el("h3", { title: answer.file }, baseName(answer.file), el("small", {}, " " + answer.file)),
                       what.why && el("p", { class: "note" }, what.why), table("assembly", body)));
    scrollToHot(parent);
  } catch (error) {
    if (error.name !== "AbortError")
      replace(parent, what.why ? el("p", { class: "empty" }, what.why) : null, el("p", { class: "empty" }, error.message));
  }
}
