// The page of the html export: a flame graph and a table of the same tree, drawn by the
// modules that the served page has too. Names go into textContent and fillText only:
// they may hold anything.
import { baseName, formatChange, formatShare, formatValue } from "./format.js";
import { FlameGraph } from "./flame.js";
import { Flame } from "./tree.js";

const ROWS_SHOWN = 500;
const $ = id => document.getElementById(id);
const flame = new Flame(JSON.parse($("data").textContent));
let type = flame.data.default, tree = null, rows = [], matches = null, node = 0;
let order = { by: "self", down: true };

const unit = () => flame.types[type].unit;

const graph = new FlameGraph($("flame"), {
  hover: at => describe(at < 0 ? node : at),
  select: at => { node = at; describe(at); },
  zoom: at => { node = at; $("reset").disabled = at === 0; describe(at); },
});

function describe(at) {
  const frames = flame.frames, frame = tree.frame[at], parts = [tree.name(at)];
  parts.push(`${formatValue(tree.total[at], unit())} (${formatShare(tree.total[at], tree.total[0])}), self ${formatValue(tree.self[at], unit())}`);
  if (tree.baseTotal)
    parts.push("before " + formatValue(tree.baseTotal[at], unit()));
  if (at) {
    const file = frames.file(frame), line = frames.line[frame];
    parts.push((flame.data.nodes.inlined[at] ? "inlined " : "") + (file ? file + (line ? ":" + line : "") + " " : "") + frames.object(frame));
  }
  $("info").textContent = parts.join("   ");
}

function chooseType(index) {
  type = index;
  tree = flame.tree(type, false);
  rows = tree.functions();
  rows.forEach(row => { row.change = row.total - row.base; row.object = flame.frames.object(row.frame); });
  graph.setTree(tree, graph.root);
  describe(graph.root);
}

function search() {
  const wanted = $("search").value;
  let result = null;
  matches = null;
  $("found").textContent = "";
  try {
    const expression = new RegExp(wanted, "i");
    matches = wanted ? name => expression.test(name) : null;
  } catch (error) {
    $("found").textContent = "not a regular expression";
  }
  if (matches) {
    result = tree.search(matches);
    $("found").textContent = `${result.matched} frames, ${formatShare(result.weight, tree.total[0])}`;
  }
  graph.setHits(result && result.hits);
  fillTable();
}

function compare(a, b) {
  let x = a[order.by], y = b[order.by];
  if (order.by === "change")
    [x, y] = [Math.abs(x), Math.abs(y)];
  const result = x < y ? -1 : x > y ? 1 : a.name < b.name ? 1 : -1;
  return order.down ? -result : result;
}

function cell(tr, content, className = "") {
  const td = tr.insertCell();
  td.className = className;
  td.textContent = content;
  return td;
}

function nameCell(tr, row) {
  const td = cell(tr, "", "name"), button = document.createElement("button"), small = document.createElement("small");
  button.type = "button";
  button.textContent = row.name;
  button.title = (flame.frames.file(row.frame) || row.object) + "\nClick to find it in the flame graph";
  button.addEventListener("click", () => {
    $("search").value = "^" + row.name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&") + "$";
    search();
    $("search").focus();
  });
  small.textContent = " " + baseName(row.object);
  td.append(button, small);
}

function fillTable() {
  const chosen = rows.filter(row => !matches || matches(row.name)).sort(compare), whole = tree.total[0];
  $("rows").textContent = "";
  for (const row of chosen.slice(0, ROWS_SHOWN)) {
    const tr = $("rows").insertRow();
    cell(tr, formatValue(row.self, unit()));
    cell(tr, formatShare(row.self, whole));
    cell(tr, formatValue(row.total, unit()));
    cell(tr, formatShare(row.total, whole));
    if (tree.baseTotal) {
      cell(tr, formatValue(row.base, unit()));
      cell(tr, formatChange(row.change, unit()));
    }
    nameCell(tr, row);
  }
  $("shown").textContent = `Showing ${Math.min(chosen.length, ROWS_SHOWN)} of ${rows.length} functions.`;
  document.querySelectorAll("th button").forEach(button => {
    if (button.dataset.by === order.by)
      button.parentNode.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    else
      button.parentNode.removeAttribute("aria-sort");
  });
}

// What starts with "#" is hidden by every pprof tool; the command line is worth showing.
function shownComment(comment) {
  const mark = "# libprof: command line: ";
  return comment.startsWith(mark) ? comment.slice(mark.length) : comment.startsWith("#") ? "" : comment;
}

document.addEventListener("keydown", event => {
  if (event.key === "/" && event.target !== $("search")) {
    $("search").focus();
    event.preventDefault();
  }
});
$("search").addEventListener("input", search);
$("search").addEventListener("keydown", event => {
  if (event.key === "Escape") {
    $("search").value = "";
    search();
  }
});
$("reset").addEventListener("click", () => graph.zoom(0));
$("type").addEventListener("change", () => { chooseType(+$("type").value); search(); });
document.querySelectorAll("th button").forEach(button => button.addEventListener("click", () => {
  const by = button.dataset.by;
  order = { by, down: order.by === by ? !order.down : by !== "name" };
  fillTable();
}));

flame.types.forEach((t, i) => $("type").add(new Option(`${t.type} (${t.unit})`, i, i === type, i === type)));
document.querySelectorAll(".diff").forEach(element => { element.hidden = !flame.data.diff; });
$("about").textContent = [flame.data.time || "", flame.data.duration_ns ? (flame.data.duration_ns / 1e9).toFixed(2) + " s" : ""]
  .concat(flame.data.comments.map(shownComment)).filter(Boolean).join(" · ");
chooseType(type);
search();
