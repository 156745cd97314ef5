// A flame graph on a canvas: only the rows on the screen and the frames wide enough to
// be seen are drawn, so its cost doesn't depend on the size of the profile.

const ROW = 19, MIN_WIDTH = 0.5, PADDING = 4, FONT = "12px system-ui, sans-serif";
const HUES = [32, 206, 130, 262, 52, 176, 340, 90, 230, 12, 300, 154];

export class FlameGraph {
  // parent: an element with a height of its own, which scrolls. on: functions
  // {hover(node, event) (-1: none), select(node), zoom(node)}.
  constructor(parent, on) {
    this.on = on;
    this.parent = parent;
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", "Flame graph, callers above callees. Arrow keys move, Enter zooms, Escape zooms out.");
    this.canvas.className = "flame";
    this.outline = document.createElement("div");
    this.outline.className = "flame-outline";
    this.outline.hidden = true;
    this.spacer = document.createElement("div");
    this.spacer.className = "flame-spacer";
    this.spacer.append(this.canvas, this.outline);
    parent.append(this.spacer);
    this.context = this.canvas.getContext("2d");
    this.widths = new Map();
    this.rows = [];
    this.root = this.current = 0;
    this.hovered = -1;
    this.hits = null;
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.listen();
  }

  listen() {
    const canvas = this.canvas;
    const redraw = () => this.schedule();
    this.dark.addEventListener("change", this.redraw = redraw);
    this.parent.addEventListener("scroll", redraw, { passive: true });
    this.observer = new ResizeObserver(redraw);
    this.observer.observe(this.parent);
    canvas.addEventListener("mousemove", event => this.hover(this.nodeAt(event), event));
    canvas.addEventListener("mouseleave", () => this.hover(-1));
    canvas.addEventListener("click", event => {
      const node = this.nodeAt(event);
      if (node < 0)
        return;
      this.select(node);
      this.zoom(node === this.root ? Math.max(0, this.tree.parent[node]) : node);
    });
    canvas.addEventListener("focus", redraw);
    canvas.addEventListener("blur", redraw);
    canvas.addEventListener("keydown", event => this.key(event));
  }

  close() {
    this.dark.removeEventListener("change", this.redraw);
    this.observer.disconnect();
    this.spacer.remove();
  }

  setTree(tree, root = 0) {
    this.tree = tree;
    this.root = this.current = root < tree.size ? root : 0;
    this.hovered = -1;
    this.hits = null;
    this.chooseHues();
    this.largestChange = 0;
    if (tree.baseTotal)
      for (let i = 1; i < tree.size; i++)
        this.largestChange = Math.max(this.largestChange, Math.abs(tree.total[i] - tree.baseTotal[i]));
    this.draw();
  }

  setHits(hits) {
    this.hits = hits;
    this.schedule();
  }

  // ---- Geometry ----

  // Boxes by row: {node, x, w}, from left to right.
  layout() {
    const tree = this.tree, width = this.width, rows = this.rows = [];
    const chain = tree.path(this.root);
    this.boxes = new Map();
    const put = (row, node, x, w) => {
      (rows[row] = rows[row] || []).push({ node, x, w });
      this.boxes.set(node, rows[row][rows[row].length - 1]);
    };
    chain.forEach((node, row) => put(row, node, 0, width));
    const pending = [[this.root, 0, width]];
    while (pending.length) {
      const [node, x, w] = pending.pop();
      const children = tree.children(node), row = tree.depth[node] + 1;
      // A difference may have negative children: the others then sum to more than all.
      let whole = 0, at = x;
      for (const child of children)
        whole += Math.max(0, tree.total[child]);
      whole = Math.max(whole, tree.total[node]);
      for (const child of children) {
        const room = whole > 0 ? w * tree.total[child] / whole : 0;
        if (room < MIN_WIDTH)
          break;
        put(row, child, at, room);
        pending.push([child, at, room]);
        at += room;
      }
    }
    for (const row of rows)
      row.sort((a, b) => a.x - b.x);
  }

  nodeAt(event) {
    const area = this.canvas.getBoundingClientRect();
    const x = event.clientX - area.left, y = event.clientY - area.top + this.parent.scrollTop;
    const row = this.rows[Math.floor(y / ROW)] || [];
    let low = 0, high = row.length - 1;
    while (low <= high) {
      const middle = low + high >> 1, box = row[middle];
      if (x < box.x) high = middle - 1;
      else if (x >= box.x + box.w) low = middle + 1;
      else return box.node;
    }
    return -1;
  }

  // ---- Drawing ----

  schedule() {
    if (this.waiting)
      return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; if (this.tree) this.draw(); });
  }

  resize() {
    const width = this.parent.clientWidth, height = this.parent.clientHeight;
    const ratio = window.devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.width = width + "px";
      this.canvas.style.height = height + "px";
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  draw() {
    this.resize();
    if (this.laidOut !== this.tree || this.laidOutRoot !== this.root || this.laidOutWidth !== this.width) {
      this.layout();
      this.laidOut = this.tree;
      this.laidOutRoot = this.root;
      this.laidOutWidth = this.width;
      this.spacer.style.height = Math.max(this.rows.length * ROW, this.height) + "px";
      // A scroll bar may have come or gone.
      if (this.parent.clientWidth !== this.width)
        return this.draw();
    }
    const context = this.context, style = getComputedStyle(this.canvas), top = this.parent.scrollTop;
    const ink = style.getPropertyValue("--frame-ink") || "#111", page = style.getPropertyValue("--page") || "#fff";
    this.frameInk = ink;
    context.clearRect(0, 0, this.width, this.height);
    context.font = FONT;
    context.textBaseline = "middle";
    const first = Math.floor(top / ROW), last = Math.min(this.rows.length, Math.ceil((top + this.height) / ROW));
    for (let row = first; row < last; row++)
      for (const box of this.rows[row])
        this.drawBox(box, row * ROW - top, ink, page);
    this.mark();
  }

  drawBox(box, y, ink, page) {
    const context = this.context, { node, x, w } = box;
    const above = this.tree.depth[node] < this.tree.depth[this.root];
    const missed = this.hits && !this.hits[node];
    context.globalAlpha = above ? 0.5 : missed ? 0.35 : 1;
    context.fillStyle = this.colour(node);
    context.fillRect(x, y, w > 2 ? w - 1 : w, ROW - 1);
    if (w > 24) {
      context.globalAlpha = missed ? 0.6 : 1;
      context.fillStyle = ink;
      context.fillText(this.label(node, w - 2 * PADDING), x + PADDING, y + ROW / 2);
    }
    context.globalAlpha = 1;
  }

  label(node, room) {
    const name = this.tree.name(node);
    let width = this.widths.get(name);
    if (width === undefined)
      this.widths.set(name, width = this.context.measureText(name).width);
    if (width <= room)
      return name;
    const keep = Math.floor(name.length * room / width) - 1;
    return keep < 2 ? "" : name.slice(0, keep) + "…";
  }

  // By object file, so that libraries are told apart; a search is louder than that, and
  // a comparison has red for more and blue for less.
  colour(node) {
    const tree = this.tree, dark = this.dark.matches;
    if (this.hits && this.hits[node])
      return dark ? "hsl(292 55% 48%)" : "hsl(292 80% 78%)";
    if (tree.baseTotal) {
      const change = tree.total[node] - tree.baseTotal[node];
      const part = this.largestChange ? Math.min(1, Math.abs(change) / this.largestChange) : 0;
      const strength = part ? 0.15 + 0.85 * Math.sqrt(part) : 0;
      const hue = change < 0 ? 215 : 6;
      return dark ? `hsl(${hue} ${60 * strength}% ${28 + 14 * strength}%)` : `hsl(${hue} ${80 * strength}% ${90 - 24 * strength}%)`;
    }
    const frame = tree.frame[node], object = node ? tree.frames.object(frame) : "";
    if (!object)
      return dark ? "hsl(220 6% 30%)" : "hsl(220 10% 86%)";
    const hue = this.hues.get(object), shade = hash(tree.name(node)) % 5;
    return dark ? `hsl(${hue} 34% ${29 + shade * 1.6}%)` : `hsl(${hue} ${72 - shade * 3}% ${80 - shade * 1.8}%)`;
  }

  // The program itself has the warm colour; libraries the others, whatever is on show.
  chooseHues() {
    const frames = this.tree.frames;
    if (this.huesOf === frames)
      return;
    this.huesOf = frames;
    this.hues = new Map([[frames.program, HUES[0]]]);
    for (const object of frames.objects)
      if (!this.hues.has(object))
        this.hues.set(object, /^\[/.test(object) ? 220 : HUES[1 + (this.hues.size - 1) % (HUES.length - 1)]);
  }

  // The frame under the pointer, or the one the keys have come to.
  mark() {
    const node = this.hovered >= 0 ? this.hovered :
      document.activeElement === this.canvas ? this.current : -1;
    const box = this.boxes && this.boxes.get(node);
    this.outline.hidden = !box;
    if (!box)
      return;
    this.outline.style.transform = `translate(${box.x}px, ${this.tree.depth[node] * ROW}px)`;
    this.outline.style.width = Math.max(1, box.w - 1) + "px";
    this.outline.style.height = ROW - 1 + "px";
  }

  // ---- Moving ----

  hover(node, event) {
    if (node !== this.hovered) {
      this.hovered = node;
      this.mark();
    }
    this.on.hover(node, event);
  }

  select(node) {
    if (!this.boxes.has(node))
      return;
    this.current = node;
    const y = this.tree.depth[node] * ROW;
    if (y < this.parent.scrollTop)
      this.parent.scrollTop = y;
    else if (y + ROW > this.parent.scrollTop + this.height)
      this.parent.scrollTop = y + ROW - this.height;
    this.mark();
    this.on.select(node);
  }

  zoom(node) {
    this.root = this.current = node;
    this.draw();
    this.on.zoom(node);
  }

  sibling(step) {
    const row = this.rows[this.tree.depth[this.current]];
    const next = row[row.findIndex(box => box.node === this.current) + step];
    if (next)
      this.select(next.node);
  }

  key(event) {
    const tree = this.tree;
    switch (event.key) {
    case "ArrowUp": this.select(Math.max(0, tree.parent[this.current])); break;
    case "ArrowDown": {
      const below = this.rows[tree.depth[this.current] + 1] || [];
      const child = below.find(box => tree.parent[box.node] === this.current);
      if (child)
        this.select(child.node);
      break;
    }
    case "ArrowLeft": this.sibling(-1); break;
    case "ArrowRight": this.sibling(1); break;
    case "Enter": case " ": this.zoom(this.current); break;
    case "Escape": case "Backspace": this.zoom(event.key === "Escape" ? 0 : Math.max(0, tree.parent[this.root])); break;
    default: return;
    }
    event.preventDefault();
  }
}

function hash(text) {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++)
    h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  return (h ^ h >>> 15) >>> 0;
}
