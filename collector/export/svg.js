// The flame graph's own script: zoom, search, keyboard. Names only ever go into
// textContent: they may hold anything.
(function () {
  "use strict";
  var svg = document.documentElement;
  var WIDTH = +svg.getAttribute("data-width"), CHAR = 7.25, EPSILON = 0.002;
  var info = document.getElementById("info"), search = document.getElementById("search");
  var found = document.getElementById("found");
  var frames = Array.prototype.map.call(document.querySelectorAll("#frames > g"), function (g, i) {
    var rect = g.querySelector("rect"), lines = g.querySelector("title").textContent.split("\n");
    return { g: g, rect: rect, text: g.querySelector("text"), name: lines[0], lines: lines,
             x: +rect.getAttribute("x"), w: +rect.getAttribute("width"),
             depth: +g.getAttribute("data-d"), index: i };
  });
  var zoomed = frames[0], current = frames[0];

  function contains(a, b) {
    return a.depth <= b.depth && a.x <= b.x + EPSILON && a.x + a.w >= b.x + b.w - EPSILON;
  }
  function place(f, x, w) {
    var room = Math.floor((w - 6) / CHAR), name = f.name;
    f.rect.setAttribute("x", x);
    f.rect.setAttribute("width", w);
    f.text.setAttribute("x", x + 3);
    f.text.textContent = room < 3 ? "" : name.length <= room ? name : name.slice(0, room - 1) + "\u2026";
  }
  function zoom(target) {
    zoomed = target;
    var factor = WIDTH / target.w;
    frames.forEach(function (f) {
      var above = f.depth < target.depth && contains(f, target);
      var inside = contains(target, f);
      f.g.style.display = above || inside ? "" : "none";
      f.g.classList.toggle("above", above);
      if (above) place(f, 0, WIDTH);
      else if (inside) place(f, (f.x - target.x) * factor, f.w * factor);
    });
    show(target);
  }
  function show(f) {
    info.textContent = f.lines.join("   ");
  }
  function select(f) {
    if (!f || f.g.style.display === "none") return;
    current.g.setAttribute("tabindex", "-1");
    current = f;
    f.g.setAttribute("tabindex", "0");
    f.g.focus();
    show(f);
  }
  function seek(from, step, wanted) {
    for (var i = from.index + step; i >= 0 && i < frames.length; i += step)
      if (frames[i].g.style.display !== "none" && wanted(frames[i])) return frames[i];
    return null;
  }
  function move(key) {
    var c = current;
    if (key === "ArrowUp") select(seek(c, -1, function (f) { return f.depth === c.depth - 1; }));
    else if (key === "ArrowDown") {
      var next = seek(c, 1, function () { return true; });
      if (next && next.depth === c.depth + 1) select(next);
    }
    else select(seek(c, key === "ArrowLeft" ? -1 : 1, function (f) { return f.depth === c.depth; }));
  }
  function highlight(text) {
    var pattern = null, width = 0, count = 0, end = -1;
    try { pattern = text ? new RegExp(text, "i") : null; }
    catch (e) { found.textContent = "not a regular expression"; return; }
    frames.forEach(function (f) {
      var hit = !!pattern && pattern.test(f.name);
      f.g.classList.toggle("hit", hit);
      count += hit;
      // Frames come callers first: one inside a hit is counted with it.
      if (hit && f.x >= end - EPSILON) { width += f.w; end = f.x + f.w; }
    });
    found.textContent = pattern ? count + " frames, " + (100 * width / WIDTH).toFixed(1) + "%" : "";
  }
  function frameOf(event) {
    var g = event.target.closest && event.target.closest("#frames > g");
    return g ? frames[Array.prototype.indexOf.call(g.parentNode.children, g)] : null;
  }
  svg.addEventListener("click", function (event) {
    var f = frameOf(event);
    if (event.target.closest("#reset")) zoom(frames[0]);
    else if (f) { zoom(f); select(f); }
  });
  svg.addEventListener("mouseover", function (event) {
    var f = frameOf(event);
    show(f || zoomed);
  });
  search.addEventListener("input", function () { highlight(search.value); });
  svg.addEventListener("keydown", function (event) {
    var key = event.key, typing = event.target === search;
    if (key === "Escape" && typing) { search.value = ""; highlight(""); select(current); }
    else if (key === "Escape") { zoom(frames[0]); select(frames[0]); }
    else if ((key === "/" && !typing) || (key === "f" && event.ctrlKey)) search.focus();
    else if (!typing && /^Arrow/.test(key)) move(key);
    else if ((key === "Enter" || key === " ") && event.target.closest("#reset")) zoom(frames[0]);
    else if ((key === "Enter" || key === " ") && !typing) { zoom(current); select(current); }
    else return;
    event.preventDefault();
  });
  svg.classList.add("live");
  show(frames[0]);
})();
