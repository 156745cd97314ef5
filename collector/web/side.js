// Beside a profile: the chosen function's source, machine code, callers and callees.
import { el, replace } from "./dom.js";
import { showCalls } from "./calls.js";
import { showAssembly, showSource } from "./code.js";

const PANES = [["source", "Source"], ["assembly", "Assembly"], ["calls", "Callers & callees"]];

export class Side {
  // turn(pane): another pane is asked for; choose(name): another function.
  constructor({ turn, choose }) {
    this.element = el("div", { class: "side" });
    this.turn = turn;
    this.choose = choose;
  }

  // what: name (of the function; null: none), pane (null: the first), flame, type (its number), unit,
  // total, view (its id) and query (what the server is asked with).
  draw(open, what) {
    if (this.abort)
      this.abort.abort();
    this.element.hidden = !open;
    if (!open)
      return;
    const shown = what.pane || PANES[0][0], body = el("div", { class: "side-body" });
    const tabs = el("div", { class: "tabs", role: "tablist" }, PANES.map(([key, text]) => el("button", {
      type: "button", role: "tab", data: { pane: key }, aria: { selected: key === shown }, on: { click: () => this.turn(key) } }, text)));
    replace(this.element, el("div", { class: "side-head" }, el("code", { title: what.name || "" }, what.name || "No function chosen"), tabs), body);
    if (!what.name)
      return replace(body, el("p", { class: "empty" }, "Choose a function."));
    this.abort = new AbortController();
    if (shown === "calls")
      showCalls(body, { ...what, tree: what.flame.tree(what.type, false), choose: this.choose });
    else if (shown === "assembly")
      showAssembly(body, what, this.abort.signal);
    else
      this.drawSource(body, what, this.abort.signal);
  }

  // Where there is no source, the machine code is what there is.
  async drawSource(body, what, signal) {
    let why = "";
    await showSource(body, { ...what, missing: reason => { why = reason; } }, signal);
    if (why && !signal.aborted)
      showAssembly(body, { ...what, why }, signal);
  }
}
