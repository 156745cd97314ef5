// The page of the html export: a flame graph and a table of the same tree. Names go
// into textContent and fillText only: they may hold anything.
(function () {
  "use strict";
  var $ = function (id) { return document.getElementById(id); };
  var data = JSON.parse($("data").textContent);
  var nodes = data.nodes, frames = data.frames, count = nodes.frame.length;
  var ROW = 18, MIN_WIDTH = 0.4, ROWS_SHOWN = 500;
  var parent = new Int32Array(count), end = new Int32Array(count);
  var type = data["default"], total, baseTotal, largestChange;
  var root = 0, current = 0, hovered = -1, boxes = [], rows = [], order = { by: "flat", down: true };
  var hits = null, matcher = null, drawnWidth = 0;
  var canvas = $("flame"), context = canvas.getContext("2d");
  var dark = matchMedia("(prefers-color-scheme: dark)");

  function text(index) { return data.strings[index]; }
  function nameOf(node) { return node ? text(frames.name[nodes.frame[node]]) : "all"; }
  function baseName(path) { return path.slice(path.lastIndexOf("/") + 1); }

  // ---- The tree ----
  (function () {
    var path = [];
    for (var i = 0; i < count; i++) {
      path.length = nodes.depth[i];
      parent[i] = i ? path[path.length - 1] : -1;
      path.push(i);
    }
    for (i = count - 1; i >= 0; i--) {
      end[i] = Math.max(end[i], i + 1);
      if (i) end[parent[i]] = Math.max(end[parent[i]], end[i]);
    }
  })();
  function inclusive(self) {
    var sum = Float64Array.from(self);
    for (var i = count - 1; i > 0; i--) sum[parent[i]] += sum[i];
    return sum;
  }
  function chooseType(index) {
    type = index;
    total = inclusive(nodes.self[type]);
    baseTotal = data.diff ? inclusive(nodes.base_self[type]) : null;
    largestChange = 0;
    for (var i = 0; data.diff && i < count; i++)
      largestChange = Math.max(largestChange, Math.abs(total[i] - baseTotal[i]));
    tabulate();
  }

  // ---- Numbers ----
  var SCALES = {
    bytes: [[1, "B"], [1024, "kB"], [1048576, "MB"], [1073741824, "GB"], [1099511627776, "TB"]],
    nanoseconds: [[1, "ns"], [1e3, "us"], [1e6, "ms"], [1e9, "s"], [3.6e12, "hrs"]]
  };
  function format(value) {
    var scale = SCALES[data.sample_types[type].unit] || [[1, ""]], best = scale[0];
    scale.forEach(function (s) { if (Math.abs(value) >= s[0]) best = s; });
    return (value / best[0]).toFixed(2).replace(/\.00$/, "") + best[1];
  }
  function share(value, of) { return of ? (100 * value / of).toFixed(2) + "%" : "-"; }
  function describe(node) {
    var f = nodes.frame[node], parts = [nameOf(node)];
    parts.push(format(total[node]) + " (" + share(total[node], total[0]) + "), self " +
               format(nodes.self[type][node]));
    if (data.diff) parts.push("before " + format(baseTotal[node]));
    if (node) {
      var file = text(frames.file[f]), line = frames.line[f];
      parts.push((nodes.inlined[node] ? "inlined " : "") + (file ? file + (line ? ":" + line : "") + " " : "") +
                 text(frames.object[f]));
    }
    return parts.join("   ");
  }

  // ---- The flame graph ----
  function hash(s) {
    var h = 2166136261;
    for (var i = 0; i < s.length; i++) h = Math.imul(h ^ s.charCodeAt(i), 16777619);
    return (h ^ h >>> 15) >>> 0;
  }
  var hues = {};
  frames.object.forEach(function (object) {
    if (!(object in hues)) hues[object] = (Object.keys(hues).length * 160 + 25) % 360;
  });
  function colour(node) {
    var f = nodes.frame[node], night = dark.matches;
    if (hits && hits[node]) return night ? "#a21caf" : "#e040fb";
    if (data.diff) {
      var change = total[node] - baseTotal[node];
      var strength = largestChange ? Math.abs(change) / largestChange : 0;
      return "hsl(" + (change < 0 ? 215 : 5) + "," + (strength ? 75 : 0) + "%," +
             (night ? 30 + 20 * strength : 88 - 32 * strength) + "%)";
    }
    if (!node || !text(frames.object[f])) return night ? "#545454" : "#ccc";
    return "hsl(" + hues[frames.object[f]] + "," + (night ? 45 : 75) + "%," +
           ((night ? 30 : 72) + hash(nameOf(node)) % 3 * 5) + "%)";
  }
  function box(node, depth, x, w) {
    boxes.push({ node: node, y: depth * ROW, x: x, w: w });
  }
  function layout() {
    var width = canvas.clientWidth, chain = [], scale, next = {}, base;
    boxes = [];
    for (var a = root; a >= 0; a = parent[a]) chain.unshift(a);
    chain.forEach(function (node, depth) { box(node, depth, 0, width); });
    base = nodes.depth[root];
    scale = total[root] ? width / total[root] : 0;
    next[root] = 0;
    for (var i = root + 1; i < end[root]; i++) {
      var w = total[i] * scale;
      if (w < MIN_WIDTH) {
        next[parent[i]] += w;
        i = end[i] - 1;
        continue;
      }
      box(i, nodes.depth[i], next[parent[i]], w);
      next[i] = next[parent[i]];
      next[parent[i]] += w;
    }
    return boxes.reduce(function (m, b) { return Math.max(m, b.y); }, 0) + ROW;
  }
  function label(name, width) {
    var room = Math.floor((width - 6) / 7.25);
    return room < 3 ? "" : name.length <= room ? name : name.slice(0, room - 1) + "\u2026";
  }
  function draw() {
    var height = layout(), ratio = window.devicePixelRatio || 1;
    var ink = getComputedStyle(document.body).color;
    drawnWidth = canvas.clientWidth;
    canvas.style.height = height + "px";
    canvas.width = drawnWidth * ratio;
    canvas.height = height * ratio;
    context.scale(ratio, ratio);
    context.font = "12px monospace";
    context.textBaseline = "middle";
    boxes.forEach(function (b) {
      context.globalAlpha = nodes.depth[b.node] < nodes.depth[root] ? 0.55 : 1;
      context.fillStyle = colour(b.node);
      context.fillRect(b.x, b.y, b.w > 2 ? b.w - 0.6 : b.w, ROW - 1);
      context.fillStyle = ink;
      context.fillText(label(nameOf(b.node), b.w), b.x + 3, b.y + ROW / 2);
      if (b.node === current && document.activeElement === canvas || b.node === hovered) {
        context.strokeStyle = ink;
        context.lineWidth = 1.5;
        context.strokeRect(b.x + 1, b.y + 1, Math.max(b.w - 2, 1), ROW - 3);
      }
    });
    context.globalAlpha = 1;
    $("info").textContent = describe(hovered >= 0 ? hovered : current);
    $("reset").disabled = root === 0;
  }
  function shown(node) { return boxes.some(function (b) { return b.node === node; }); }
  function zoom(node) { root = current = node; draw(); }
  function select(node) {
    if (node >= 0 && shown(node)) { current = node; draw(); }
  }
  function sibling(step) {
    var same = boxes.filter(function (b) { return nodes.depth[b.node] === nodes.depth[current]; });
    var at = same.findIndex(function (b) { return b.node === current; }) + step;
    if (same[at]) select(same[at].node);
  }
  function firstChild(node) {
    var child = boxes.find(function (b) { return b.node && parent[b.node] === node; });
    if (child) select(child.node);
  }
  function nodeAt(event) {
    var r = canvas.getBoundingClientRect(), x = event.clientX - r.left, y = event.clientY - r.top;
    var b = boxes.find(function (c) { return y >= c.y && y < c.y + ROW && x >= c.x && x < c.x + c.w; });
    return b ? b.node : -1;
  }

  // ---- Search ----
  function search() {
    var wanted = $("search").value, weight = 0, matched = 0, until = 0;
    matcher = hits = null;
    $("found").textContent = "";
    try { if (wanted) matcher = new RegExp(wanted, "i"); }
    catch (e) { $("found").textContent = "not a regular expression"; }
    if (matcher) {
      var byName = {};
      hits = new Uint8Array(count);
      for (var i = 1; i < count; i++) {
        var n = frames.name[nodes.frame[i]];
        if (!(n in byName)) byName[n] = matcher.test(text(n));
        if (!byName[n]) continue;
        hits[i] = 1;
        matched++;
        if (i >= until) { weight += total[i]; until = end[i]; }
      }
      $("found").textContent = matched + " frames, " + share(weight, total[0]);
    }
    draw();
    fillTable();
  }

  // ---- The table ----
  // By function name. A function already on the stack is not counted again.
  function tabulate() {
    var byName = {}, onPath = {}, path = [];
    for (var i = 1; i < count; i++) {
      while (path.length >= nodes.depth[i]) onPath[path.pop()]--;
      var f = nodes.frame[i], n = frames.name[f];
      var row = byName[n] || (byName[n] = { name: text(n), file: text(frames.file[f]), object: text(frames.object[f]),
                                            flat: 0, cum: 0, before: 0, change: 0 });
      row.flat += nodes.self[type][i];
      if (!onPath[n]) {
        row.cum += total[i];
        if (data.diff) row.before += baseTotal[i];
      }
      onPath[n] = (onPath[n] || 0) + 1;
      path.push(n);
    }
    rows = Object.keys(byName).map(function (n) { return byName[n]; });
    rows.forEach(function (r) { r.change = r.cum - r.before; });
  }
  function compare(a, b) {
    var x = a[order.by], y = b[order.by];
    if (data.diff && order.by === "change") { x = Math.abs(x); y = Math.abs(y); }
    var result = x < y ? -1 : x > y ? 1 : a.name < b.name ? 1 : -1;
    return order.down ? -result : result;
  }
  function cell(tr, content, className) {
    var td = tr.insertCell();
    td.className = className || "";
    td.textContent = content;
    return td;
  }
  function nameCell(tr, row) {
    var td = cell(tr, "", "name"), button = document.createElement("button"), small = document.createElement("small");
    button.type = "button";
    button.textContent = row.name;
    button.title = (row.file || row.object) + "\nClick to find it in the flame graph";
    button.addEventListener("click", function () {
      $("search").value = "^" + row.name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&") + "$";
      search();
      $("search").focus();
    });
    small.textContent = " " + baseName(row.object);
    td.append(button, small);
  }
  function fillTable() {
    var chosen = rows.filter(function (r) { return !matcher || matcher.test(r.name); }).sort(compare);
    var body = $("rows");
    body.textContent = "";
    chosen.slice(0, ROWS_SHOWN).forEach(function (r) {
      var tr = body.insertRow();
      cell(tr, format(r.flat));
      cell(tr, share(r.flat, total[0]));
      cell(tr, format(r.cum));
      cell(tr, share(r.cum, total[0]));
      if (data.diff) { cell(tr, format(r.before)); cell(tr, (r.change > 0 ? "+" : "") + format(r.change)); }
      nameCell(tr, r);
    });
    $("shown").textContent = "Showing " + Math.min(chosen.length, ROWS_SHOWN) + " of " + rows.length + " functions.";
    document.querySelectorAll("th button").forEach(function (b) {
      var th = b.parentNode;
      if (b.dataset.by === order.by) th.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
  }

  // ---- Events ----
  canvas.addEventListener("mousemove", function (event) {
    var node = nodeAt(event);
    if (node !== hovered) { hovered = node; draw(); }
  });
  canvas.addEventListener("mouseleave", function () { hovered = -1; draw(); });
  canvas.addEventListener("click", function (event) {
    var node = nodeAt(event);
    if (node >= 0) zoom(node);
  });
  canvas.addEventListener("focus", draw);
  canvas.addEventListener("blur", draw);
  canvas.addEventListener("keydown", function (event) {
    switch (event.key) {
    case "ArrowUp": select(parent[current]); break;
    case "ArrowDown": firstChild(current); break;
    case "ArrowLeft": sibling(-1); break;
    case "ArrowRight": sibling(1); break;
    case "Enter": case " ": zoom(current); break;
    case "Escape": zoom(0); break;
    default: return;
    }
    event.preventDefault();
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "/" && event.target !== $("search")) { $("search").focus(); event.preventDefault(); }
  });
  $("search").addEventListener("input", search);
  $("search").addEventListener("keydown", function (event) {
    if (event.key === "Escape") { $("search").value = ""; search(); }
  });
  $("reset").addEventListener("click", function () { zoom(0); });
  $("type").addEventListener("change", function () { chooseType(+$("type").value); search(); });
  document.querySelectorAll("th button").forEach(function (b) {
    b.addEventListener("click", function () {
      order = { by: b.dataset.by, down: order.by === b.dataset.by ? !order.down : b.dataset.by !== "name" };
      fillTable();
    });
  });
  dark.addEventListener("change", draw);
  // The page may get narrower by itself, too: when the table needs a scroll bar.
  new ResizeObserver(function () { if (canvas.clientWidth !== drawnWidth) draw(); }).observe(canvas);

  // What starts with "#" is hidden by every pprof tool; the command line is worth showing.
  function shownComments(comments) {
    var mark = "# libprof: command line: ";
    return comments.map(function (c) {
      return c.startsWith(mark) ? c.slice(mark.length) : c.startsWith("#") ? "" : c;
    });
  }

  // ---- Start ----
  data.sample_types.forEach(function (t, i) {
    var option = new Option(t.type + " (" + t.unit + ")", i);
    option.selected = i === type;
    $("type").add(option);
  });
  if (data.diff) document.querySelectorAll(".diff").forEach(function (e) { e.hidden = false; });
  $("about").textContent = [data.time || "", data.duration_ns ? (data.duration_ns / 1e9).toFixed(2) + " s" : ""]
    .concat(shownComments(data.comments)).filter(Boolean).join(" \u00b7 ");
  chooseType(type);
  search();
})();
