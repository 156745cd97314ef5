// The index: every process there is and was, and the files that were given.
import { formatDuration, formatValue } from "./format.js";
import { get } from "./api.js";
import { el, replace } from "./dom.js";

const COLUMNS = [
  { key: "name", title: "Process", class: "name", value: p => p.name.toLowerCase() },
  { key: "pid", title: "PID", value: p => p.pid },
  { key: "state", title: "State", class: "state", value: p => (p.running ? "" : "~") + p.state },
  { key: "uptime", title: "Uptime", down: true, value: (p, now) => (p.end_ns || now) - p.start_ns },
  { key: "cpu", title: "CPU", down: true, value: p => p.cpu_percent },
  { key: "heap", title: "Heap in use", down: true, value: p => p.heap_inuse },
  { key: "rate", title: "Allocating", down: true, value: p => p.alloc_rate },
  { key: "threads", title: "Threads", down: true, value: p => p.threads },
];

function cells(p, now) {
  const uptime = ((p.end_ns || now) - p.start_ns) / 1e9;
  return [
    el("td", { class: "name" }, el("a", { href: `/p/${p.id}` }, p.name), el("small", { title: p.command }, p.command)),
    el("td", {}, String(p.pid)),
    el("td", { class: "state" }, el("span", { class: p.running ? "running" : /^(exited 0|execed)$/.test(p.state) ? "ended" : "failed" }, p.state)),
    el("td", {}, formatDuration(uptime)),
    el("td", {}, p.running ? p.cpu_percent.toFixed(1) + "%" : "–"),
    el("td", {}, formatValue(p.heap_inuse, "bytes")),
    el("td", {}, p.running ? formatValue(p.alloc_rate, "bytes") + "/s" : "–"),
    el("td", {}, p.running ? String(p.threads) : "–"),
  ];
}

function fileRow(view) {
  const type = view.sample_types[view.default] || { type: "", unit: "", total: 0 };
  return el("tr", {},
            el("td", { class: "name" }, el("a", { href: `/v/${view.id}` }, view.name), el("small", {}, view.program)),
            el("td", {}, type.type),
            el("td", {}, formatValue(type.total, type.unit)),
            el("td", {}, String(view.samples)),
            el("td", {}, view.to_ns ? new Date(view.to_ns / 1e6).toLocaleString() : "–"));
}

export function showProcesses(page) {
  let order = page.params.get("sort") || "", down = page.params.get("down") === "1";
  let filter = page.params.get("q") || "", latest = null, timer = 0, closed = false;
  const rows = new Map(), body = el("tbody"), head = el("tr"), files = el("div"), refused = el("div"), count = el("span", { class: "note", role: "status" });
  const input = el("input", { type: "search", placeholder: "Filter ( / )", value: filter, aria: { label: "Filter processes" },
    on: { input: () => { filter = input.value; page.setParams({ q: filter }); draw(); } } });
  const processes = el("div", {},
    el("div", { class: "toolbar" }, el("h1", {}, "Processes"), input, count),
    el("div", { class: "scroll" }, el("table", { class: "plain", id: "processes" }, el("thead", {}, head), body)), refused);

  function drawHead() {
    replace(head, COLUMNS.map(column => {
      const th = el("th", { class: column.class, scope: "col" }, el("button", { type: "button", on: { click: () => {
        down = order === column.key ? !down : Boolean(column.down);
        order = column.key;
        page.setParams({ sort: order, down: down ? "1" : null });
        drawHead();
        draw();
      } } }, column.title));
      if (order === column.key)
        th.setAttribute("aria-sort", down ? "descending" : "ascending");
      return th;
    }));
  }

  function update(p, now) {
    const fresh = cells(p, now);
    let row = rows.get(p.id);
    if (!row)
      rows.set(p.id, row = el("tr", { data: { id: p.id } }, fresh));
    row.className = p.running ? "" : "dead";
    fresh.forEach((cell, i) => {
      if (row.cells[i].textContent !== cell.textContent)
        row.cells[i].replaceWith(cell);
    });
    return row;
  }

  function draw() {
    if (!latest)
      return;
    const now = latest.now_ns, wanted = filter.toLowerCase();
    const chosen = latest.processes.filter(p => !wanted || `${p.name} ${p.pid} ${p.command} ${p.state}`.toLowerCase().includes(wanted));
    const column = COLUMNS.find(c => c.key === order);
    // Running ones first, the newest first, unless told otherwise.
    chosen.sort(column ? (a, b) => {
      const x = column.value(a, now), y = column.value(b, now);
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    } : (a, b) => b.running - a.running || b.start_ns - a.start_ns);
    // Rows stay what they are while their numbers change: a click or a selection holds.
    const next = chosen.map(p => update(p, now));
    if (next.length !== body.rows.length || next.some((row, i) => row !== body.rows[i]))
      replace(body, next);
    const running = latest.processes.filter(p => p.running).length;
    replace(refused, latest.refusals.map(r => el("p", { class: "note" },
      `Turned away ${r.count} time${r.count > 1 ? "s" : ""}: ${r.program || "?"} (user ${r.user}, last PID ${r.pid}): ${r.reason}`)));
    count.textContent = `${running} running, ${latest.processes.length - running} ended`;
    if (!chosen.length)
      replace(body, el("tr", {}, el("td", { class: "empty name", colSpan: COLUMNS.length },
        latest.processes.length ? "No process matches." : "No process has reported yet. Start one with: prof run PROGRAM, or LIBPROF_SOCKET=… LD_PRELOAD=libprof.so PROGRAM")));
  }

  function drawFiles() {
    processes.hidden = latest.files.length > 0 && latest.processes.length === 0;
    replace(files, latest.files.length ? [
      el("div", { class: "toolbar" }, el("h1", {}, "Files")),
      el("div", { class: "scroll" }, el("table", { class: "plain", id: "files" },
        el("thead", {}, el("tr", {}, ["Profile", "Type", "Total", "Samples", "Taken"].map((t, i) => el("th", { class: i ? "" : "name", scope: "col" }, t)))),
        el("tbody", {}, latest.files.map(fileRow)))) ] : []);
  }

  async function refresh() {
    try {
      latest = await get(["processes"]);
      if (closed)
        return;
      page.note("");
      if (latest.files.length === 1 && !latest.processes.length)
        return page.go(`/v/${latest.files[0].id}`, true);
      drawFiles();
      draw();
    } catch (error) {
      page.note("The collector doesn't answer.", true);
    }
    if (!closed)
      timer = setTimeout(refresh, 1000);
  }

  const key = event => {
    if (event.key === "/" && event.target !== input) {
      input.focus();
      event.preventDefault();
    }
  };
  document.addEventListener("keydown", key);
  page.crumbs([["Processes"]]);
  page.main.classList.add("page");
  page.main.append(files, processes);
  drawHead();
  refresh();
  return () => {
    closed = true;
    clearTimeout(timer);
    document.removeEventListener("keydown", key);
  };
}
