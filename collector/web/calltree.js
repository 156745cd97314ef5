// The call tree: what each call costs in all and by itself, opened branch by branch.
import { formatShare, formatValue } from "./format.js";
import { el } from "./dom.js";
import { Table } from "./list.js";
import { bar } from "./top.js";

export class CallTree {
  // on: {choose(name, node)}.
  constructor(parent, on) {
    this.on = on;
    this.parent = parent;
  }

  // what: {tree, unit, total, hits (by node, or null), chosen, root}.
  show(what) {
    this.what = what;
    if (this.tree !== what.tree || this.root !== what.root) {
      this.tree = what.tree;
      this.root = what.root;
      this.open = new Set([what.root]);
      this.current = what.root;
      this.build(what);
      this.openPath(what.root);
      this.find(what.chosen);
    }
    this.list();
    return "";
  }

  // The costliest call of the function that was chosen elsewhere, its callers opened.
  find(name) {
    const tree = this.tree;
    let best = -1;
    for (let i = this.root + 1; name && i < tree.end[this.root]; i++)
      if ((best < 0 || tree.total[i] > tree.total[best]) && tree.name(i) === name)
        best = i;
    if (best < 0)
      return;
    this.current = best;
    for (let at = tree.parent[best]; at > this.root; at = tree.parent[at])
      this.open.add(at);
  }

  // Down the hot path, as far as one child has most of it.
  openPath(node) {
    for (let depth = 0; depth < 100; depth++) {
      const [child] = this.tree.children(node);
      if (child === undefined || this.tree.total[child] < this.tree.total[node] / 2)
        return;
      this.open.add(child);
      node = child;
    }
  }

  build({ unit, total }) {
    const tree = this.tree;
    const columns = [
      { key: "total", title: "Total", class: "number", render: r => bar(tree.total[r], total, formatValue(tree.total[r], unit)) },
      { key: "%", title: "%", class: "share", render: r => formatShare(tree.total[r], total) },
      { key: "self", title: "Self", class: "number", render: r => tree.self[r] ? formatValue(tree.self[r], unit) : "" },
      { key: "name", title: "Call", class: "name", render: r => this.nameCell(r) },
    ];
    if (this.table)
      this.table.close();
    this.table = new Table(columns, {
      open: node => { this.current = node; this.on.choose(tree.name(node), node); },
      key: (key, node) => this.key(key, node),
    }, "Call tree");
    this.table.element.classList.add("calltree");
    this.table.body.addEventListener("dblclick", event => {
      const row = event.target.closest(".row");
      if (row)
        this.toggle(this.table.rows[+row.dataset.at]);
    });
    this.parent.replaceChildren(this.table.element);
  }

  nameCell(node) {
    const tree = this.tree, depth = tree.depth[node] - tree.depth[this.root];
    const leaf = tree.end[node] === node + 1, hit = this.what.hits && this.what.hits[node];
    const cell = el("span", { class: "call" + (hit ? " hit" : "") },
      leaf ? el("span", { class: "twig" }) :
        el("button", { type: "button", class: "twig", tabIndex: -1, aria: { expanded: this.open.has(node), label: "Callees" },
                       on: { click: event => { event.stopPropagation(); this.toggle(node); } } }, this.open.has(node) ? "▾" : "▸"),
      el("code", { title: tree.name(node) }, tree.name(node)));
    cell.style.paddingLeft = Math.min(depth, 60) * 12 + "px";
    return cell;
  }

  toggle(node) {
    if (this.open.has(node))
      this.open.delete(node);
    else {
      this.open.add(node);
      this.openPath(node);
    }
    this.current = node;
    this.list();
  }

  list() {
    const rows = [], pending = [this.root];
    while (pending.length) {
      const node = pending.pop();
      rows.push(node);
      if (this.open.has(node))
        pending.push(...this.tree.children(node).reverse());
    }
    this.table.setRows(rows, rows.indexOf(this.current));
    this.table.choose(rows.indexOf(this.current), false);
  }

  key(key, node) {
    if (node === undefined)
      return false;
    if (key === "ArrowRight") {
      if (!this.open.has(node))
        this.toggle(node);
      else if (this.tree.end[node] > node + 1)
        this.table.choose(this.table.current + 1, true);
      return true;
    }
    if (key === "ArrowLeft") {
      if (this.open.has(node) && node !== this.root)
        this.toggle(node);
      else if (node !== this.root)
        this.table.choose(this.table.rows.indexOf(this.tree.parent[node]), true);
      return true;
    }
    return false;
  }

  close() {
    if (this.table)
      this.table.close();
  }
}
