// The functions that cost most: sortable, filtered by the search.
import { baseName, formatChange, formatShare, formatValue } from "./format.js";
import { el } from "./dom.js";
import { Table } from "./list.js";

// A number with a bar behind it that shows its share.
export function bar(value, total, text) {
  const cell = el("span", { class: "bar", title: String(value) }, text);
  cell.style.setProperty("--part", Math.min(100, Math.abs(total ? 100 * value / total : 0)) + "%");
  return cell;
}

export class Top {
  // on: {choose(name), order(key, down)}.
  constructor(parent, on) {
    this.on = on;
    this.parent = parent;
  }

  // what: {flame, tree, unit, total, matches (a function or null), chosen, sort, down}.
  show(what) {
    if (this.tree !== what.tree) {
      this.tree = what.tree;
      this.rows = what.tree.functions();
      this.build(what);
    }
    const key = what.sort || "self", down = what.down, sign = down ? -1 : 1;
    const value = { self: r => r.self, total: r => r.total, base: r => r.base, change: r => Math.abs(r.total - r.base),
                    name: r => r.name, object: r => what.flame.frames.object(r.frame) }[key] || (r => r.self);
    const rows = what.matches ? this.rows.filter(r => what.matches(r.name)) : this.rows.slice();
    rows.sort((a, b) => {
      const x = value(a), y = value(b);
      return (x < y ? -1 : x > y ? 1 : 0) * sign || Math.abs(b.total) - Math.abs(a.total) || (a.name < b.name ? -1 : 1);
    });
    this.table.setOrder(key, down);
    this.table.setRows(rows, rows.findIndex(r => r.name === what.chosen));
    return `${rows.length === this.rows.length ? "" : rows.length + " of "}${this.rows.length} functions`;
  }

  build({ flame, unit, total, tree }) {
    const frames = flame.frames;
    const number = (key, title, value) => ({ key, title, class: "number", sort: "desc", render: r => bar(value(r), total, formatValue(value(r), unit)) });
    const share = (title, value) => ({ key: title, title, class: "share", render: r => formatShare(value(r), total) });
    const columns = [number("self", "Self", r => r.self), share("%", r => r.self), number("total", "Total", r => r.total), share("%", r => r.total)];
    if (tree.baseTotal)
      columns.push({ key: "base", title: "Before", class: "number", sort: "desc", render: r => formatValue(r.base, unit) },
                   { key: "change", title: "Change", class: "number change", sort: "desc", render: r => {
                     const change = r.total - r.base;
                     return el("span", { class: change > 0 ? "more" : change < 0 ? "less" : "" }, formatChange(change, unit));
                   } });
    columns.push({ key: "name", title: "Function", class: "name", sort: "asc", render: r => el("code", { title: r.name }, r.name) },
                 { key: "object", title: "Module", class: "object", sort: "asc", render: r => el("small", { title: frames.object(r.frame) }, baseName(frames.object(r.frame))) });
    if (this.table)
      this.table.close();
    this.table = new Table(columns, { open: r => this.on.choose(r.name), sort: this.on.order }, "Functions");
    this.table.element.classList.add("functions");
    this.table.element.classList.toggle("compared", Boolean(tree.baseTotal));
    this.parent.replaceChildren(this.table.element);
  }

  close() {
    if (this.table)
      this.table.close();
  }
}
