// A table of any length: only the rows on the screen exist.

const ROW = 24; // pixels; style.css knows it too

export class Table {
  // columns: [{key, title, class, render(row) -> node or text, sort: "desc" | "asc" | none}].
  // on: {open(row), sort(key, down)}.
  constructor(columns, on = {}, label = "") {
    this.columns = columns;
    this.on = on;
    this.rows = [];
    this.current = -1;
    this.head = document.createElement("div");
    this.head.className = "row head";
    this.head.setAttribute("role", "row");
    this.body = document.createElement("div");
    this.body.className = "rows";
    this.body.tabIndex = 0;
    this.body.setAttribute("role", "rowgroup");
    this.spacer = document.createElement("div");
    this.spacer.className = "spacer";
    this.body.append(this.spacer);
    this.element = document.createElement("div");
    this.element.className = "table";
    this.element.setAttribute("role", "table");
    this.element.setAttribute("aria-label", label);
    this.element.append(this.head, this.body);
    this.drawHead();
    this.body.addEventListener("scroll", () => this.draw(), { passive: true });
    this.body.addEventListener("keydown", event => this.key(event));
    this.body.addEventListener("click", event => {
      const row = event.target.closest(".row");
      if (row)
        this.choose(+row.dataset.at, true);
    });
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.body);
  }

  close() {
    this.observer.disconnect();
  }

  drawHead() {
    this.head.replaceChildren(...this.columns.map(column => {
      const cell = document.createElement("span");
      cell.className = "cell " + (column.class || "");
      cell.setAttribute("role", "columnheader");
      if (column.sort && this.on.sort) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = column.title;
        button.dataset.key = column.key;
        button.addEventListener("click", () => this.on.sort(column.key,
          this.sorted === column.key ? !this.down : column.sort === "desc"));
        cell.append(button);
        if (this.sorted === column.key)
          cell.setAttribute("aria-sort", this.down ? "descending" : "ascending");
      } else {
        cell.textContent = column.title;
      }
      return cell;
    }));
  }

  setOrder(key, down) {
    this.sorted = key;
    this.down = down;
    this.drawHead();
  }

  setRows(rows, current = -1) {
    this.rows = rows;
    this.current = current;
    this.spacer.style.height = rows.length * ROW + "px";
    this.element.setAttribute("aria-rowcount", rows.length);
    this.shown = null;
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.body.scrollTop / ROW) - 5);
    const last = Math.min(this.rows.length, Math.ceil((this.body.scrollTop + this.body.clientHeight) / ROW) + 5);
    const shown = `${first} ${last} ${this.current}`;
    if (shown === this.shown)
      return;
    this.shown = shown;
    const rows = [];
    for (let i = first; i < last; i++)
      rows.push(this.drawRow(i));
    this.spacer.replaceChildren(...rows);
  }

  drawRow(i) {
    const row = document.createElement("div");
    row.className = "row" + (i === this.current ? " current" : "");
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", i + 1);
    row.dataset.at = i;
    row.style.transform = `translateY(${i * ROW}px)`;
    for (const column of this.columns) {
      const cell = document.createElement("span");
      cell.className = "cell " + (column.class || "");
      cell.setAttribute("role", "cell");
      cell.append(column.render(this.rows[i], i));
      row.append(cell);
    }
    return row;
  }

  choose(i, open) {
    if (i < 0 || i >= this.rows.length)
      return;
    this.current = i;
    if (i * ROW < this.body.scrollTop)
      this.body.scrollTop = i * ROW;
    else if ((i + 1) * ROW > this.body.scrollTop + this.body.clientHeight)
      this.body.scrollTop = (i + 1) * ROW - this.body.clientHeight;
    this.draw();
    if (open && this.on.open)
      this.on.open(this.rows[i], i);
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.body.clientHeight / ROW) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.rows.length, End: this.rows.length };
    if (event.key in steps)
      this.choose(Math.min(this.rows.length - 1, Math.max(0, this.current + steps[event.key])), true);
    else if (event.key === "Enter")
      this.choose(this.current, true);
    else if (!(this.on.key && this.on.key(event.key, this.rows[this.current], this.current)))
      return;
    event.preventDefault();
  }
}
