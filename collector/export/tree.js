// The flame tree (json.h) in memory: typed arrays in preorder, so that sums, searches
// and tables are single sweeps. A node is an index; 0 is the root.

export class Tree {
  // frames: a Frames. frame, depth: by node. self, base: values by node (base: null, or
  // those of what this is compared with).
  constructor(frames, frame, depth, self, base) {
    this.frames = frames;
    this.frame = frame;
    this.depth = depth;
    this.self = self;
    this.baseSelf = base;
    this.size = frame.length;
    this.link();
    this.total = this.addUp(self);
    this.baseTotal = base ? this.addUp(base) : null;
  }

  link() {
    const n = this.size, parent = new Int32Array(n), end = new Int32Array(n), path = [];
    parent[0] = -1;
    for (let i = 0; i < n; i++) {
      const d = this.depth[i];
      if (i)
        parent[i] = path[d - 1];
      path[d] = i;
    }
    for (let i = n - 1; i >= 0; i--) {
      if (end[i] <= i)
        end[i] = i + 1;
      if (i && end[parent[i]] < end[i])
        end[parent[i]] = end[i];
    }
    this.parent = parent;
    this.end = end; // the node behind the last descendant
  }

  addUp(self) {
    const sum = Float64Array.from(self), parent = this.parent;
    for (let i = this.size - 1; i > 0; i--)
      sum[parent[i]] += sum[i];
    return sum;
  }

  name(node) {
    return node ? this.frames.names[this.frames.name[this.frame[node]]] : "all";
  }

  // The name as a number: equal names, equal numbers; -1 for the root.
  nameIndex(node) {
    return node ? this.frames.name[this.frame[node]] : -1;
  }

  // The largest first; of equal ones by name, as they come.
  children(node) {
    const list = [], total = this.total;
    for (let i = node + 1; i < this.end[node]; i = this.end[i])
      list.push(i);
    return list.sort((a, b) => total[b] - total[a] || a - b);
  }

  // From the root to the node.
  path(node) {
    const path = [];
    for (let i = node; i >= 0; i = this.parent[i])
      path.unshift(i);
    return path;
  }

  // {hits: by node, matched: how many, weight: inclusive value of the outermost hits}.
  search(matches) {
    const hits = new Uint8Array(this.size), known = new Map();
    let matched = 0, weight = 0, until = 0;
    for (let i = 1; i < this.size; i++) {
      const name = this.nameIndex(i);
      let hit = known.get(name);
      if (hit === undefined)
        known.set(name, hit = matches(this.frames.names[name]));
      if (!hit)
        continue;
      hits[i] = 1;
      matched++;
      if (i >= until) {
        weight += this.total[i];
        until = this.end[i];
      }
    }
    return { hits, matched, weight };
  }

  // Rows by function name, as pprof counts: a function that is on the stack already is
  // not counted again.
  functions() {
    const rows = new Map(), active = new Int32Array(this.frames.names.length), path = [];
    for (let i = 1; i < this.size; i++) {
      while (path.length >= this.depth[i])
        active[path.pop()]--;
      const index = this.nameIndex(i), frame = this.frame[i];
      let row = rows.get(index);
      if (!row)
        rows.set(index, row = { index, name: this.frames.names[index], frame, self: 0, total: 0,
                                baseSelf: 0, base: 0, inlined: true });
      row.self += this.self[i];
      if (this.baseSelf)
        row.baseSelf += this.baseSelf[i];
      if (!active[index]) {
        row.total += this.total[i];
        if (this.baseTotal)
          row.base += this.baseTotal[i];
      }
      active[index]++;
      path.push(index);
    }
    return [...rows.values()].filter(row => row.self || row.total || row.base);
  }

  // What calls the function of that name and what it calls: {callers, callees}, rows
  // {name index (-1: none), value}. An edge counts once for each stack, as in pprof's peek.
  neighbours(index) {
    const sums = [new Map(), new Map()], path = [], active = [new Map(), new Map()];
    const add = (side, other, node, step) => {
      const now = active[side];
      if (!now.get(other) && step > 0) {
        const row = sums[side].get(other) || { index: other, value: 0, base: 0, self: false };
        row.value += this.total[node];
        if (this.baseTotal)
          row.base += this.baseTotal[node];
        sums[side].set(other, row);
      }
      now.set(other, (now.get(other) || 0) + step);
    };
    for (let i = 1; i < this.size; i++) {
      while (path.length >= this.depth[i]) {
        const { node, name, above } = path.pop();
        if (name === index) add(0, above, node, -1);
        if (above === index) add(1, name, node, -1);
      }
      const name = this.nameIndex(i), above = this.nameIndex(this.parent[i]);
      if (name === index) add(0, above, i, 1);
      if (above === index) add(1, name, i, 1);
      path.push({ node: i, name, above });
    }
    const sorted = side => [...sums[side].values()].sort((a, b) => b.value - a.value);
    return { callers: sorted(0), callees: sorted(1) };
  }

  // The same stacks from their leaves: what a function costs itself, by its callers.
  inverted() {
    const children = [new Map()], frame = [-1], self = [0], base = [0], path = [];
    for (let i = 1; i < this.size; i++) {
      path[this.depth[i]] = this.frame[i];
      const value = this.self[i], before = this.baseSelf ? this.baseSelf[i] : 0;
      if (!value && !before)
        continue;
      let at = 0;
      for (let d = this.depth[i]; d > 0; d--) {
        let next = children[at].get(path[d]);
        if (next === undefined) {
          next = frame.length;
          children[at].set(path[d], next);
          children.push(new Map());
          frame.push(path[d]);
          self.push(0);
          base.push(0);
        }
        at = next;
      }
      self[at] += value;
      base[at] += before;
    }
    return this.inPreorder(children, frame, self, base);
  }

  inPreorder(children, frame, self, base) {
    const n = frame.length, order = new Int32Array(n), depth = new Int32Array(n);
    const stack = [[0, 0]];
    for (let at = 0; stack.length; at++) {
      const [node, d] = stack.pop();
      order[at] = node;
      depth[at] = d;
      for (const child of children[node].values())
        stack.push([child, d + 1]);
    }
    const pick = list => Float64Array.from(order, i => list[i]);
    return new Tree(this.frames, Int32Array.from(order, i => frame[i]), depth, pick(self),
                    this.baseSelf ? pick(base) : null);
  }
}

// A flame document: its functions, and a tree for each sample type when it is needed.
export class Flame {
  constructor(data) {
    const strings = data.strings, frames = data.frames;
    this.data = data;
    this.types = data.sample_types;
    this.frames = {
      names: strings, // by string index, so that equal names are equal numbers
      name: Int32Array.from(frames.name),
      line: frames.line,
      file: i => strings[frames.file[i]],
      object: i => strings[frames.object[i]],
      objects: [...new Set(frames.object)].map(i => strings[i]),
    };
    this.frames.program = this.frames.objects.find(o => o.slice(o.lastIndexOf("/") + 1) === data.program);
    this.frame = Int32Array.from(data.nodes.frame);
    this.depth = Int32Array.from(data.nodes.depth);
    this.trees = new Map();
  }

  tree(type, inverted) {
    const key = type + (inverted ? "i" : "");
    if (!this.trees.has(key)) {
      const nodes = this.data.nodes;
      this.trees.set(key, inverted ? this.tree(type, false).inverted() :
        new Tree(this.frames, this.frame, this.depth, nodes.self[type],
                 nodes.base_self ? nodes.base_self[type] : null));
    }
    return this.trees.get(key);
  }
}
