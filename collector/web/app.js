// Addresses and pages: every view has an address that can be sent, links are links, and
// only a page's own part of the document is redrawn.
import { el, replace } from "./dom.js";
import { showProcesses } from "./processes.js";
import { showProcess } from "./process.js";
import { showProfile } from "./profile.js";
import { showThreads } from "./threads.js";

const main = document.getElementById("main");
let leave = null;

// What a page gets: its part of the document, its address, and ways to change both.
const page = {
  main,
  get params() { return new URLSearchParams(location.search); },

  // [[text, address], ...]; the last one is where we are.
  crumbs(list) {
    document.title = list.map(([text]) => text).reverse().concat("libprof").join(" – ");
    replace(document.getElementById("crumbs"),
            el("a", { href: "/", class: "brand" }, "libprof"),
            list.flatMap(([text, href]) => [el("span", { class: "separator" }, "/"),
                                            href ? el("a", { href }, text) : el("span", { aria: { current: "page" } }, text)]));
  },

  note(text, bad = false) {
    const note = document.getElementById("note");
    note.textContent = text;
    note.className = bad ? "bad" : "";
  },

  // Changes the query: null removes. push: a step that Back undoes.
  setParams(changes, push = false) {
    const params = page.params;
    for (const [key, value] of Object.entries(changes))
      if (value === null || value === undefined || value === "")
        params.delete(key);
      else
        params.set(key, value);
    const text = params.toString();
    history[push ? "pushState" : "replaceState"](null, "", location.pathname + (text ? "?" + text : ""));
  },

  go(address, replaced = false) {
    history[replaced ? "replaceState" : "pushState"](null, "", address);
    route();
  },
};

const ROUTES = [
  [/^\/$/, showProcesses],
  [/^\/p\/([^/]+)\/?$/, showProcess],
  [/^\/p\/([^/]+)\/(?:threads|goroutine)$/, showThreads],
  [/^\/p\/([^/]+)\/([^/]+)$/, showProfile],
  [/^\/v\/([^/]+)$/, (p, view) => showProfile(p, null, null, view)],
];

function route() {
  if (leave)
    leave();
  leave = null;
  page.note("");
  for (const [pattern, show] of ROUTES) {
    const match = pattern.exec(location.pathname);
    if (!match)
      continue;
    replace(main);
    main.className = "";
    leave = show(page, ...match.slice(1).map(decodeURIComponent)) || null;
    return;
  }
  page.crumbs([["Not found"]]);
  replace(main, el("p", { class: "empty" }, "There is no such page. ", el("a", { href: "/" }, "All processes")));
}

document.addEventListener("click", event => {
  const link = event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey ||
      link.target || link.hasAttribute("download") || link.origin !== location.origin ||
      !ROUTES.some(([pattern]) => pattern.test(link.pathname)))
    return;
  event.preventDefault();
  page.go(link.pathname + link.search);
});
window.addEventListener("popstate", route);
route();
