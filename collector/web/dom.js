// Elements. Names on these pages come from other people's programs: text goes into
// text nodes and properties only, never through a parser.

// el("a", {href, class, on: {click}, data: {id}, aria: {label}}, child...): a child is a
// node, a text, or nothing (null, false).
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false)
      continue;
    if (key === "class")
      element.className = value;
    else if (key === "on")
      for (const [type, listener] of Object.entries(value))
        element.addEventListener(type, listener);
    else if (key === "data")
      Object.assign(element.dataset, value);
    else if (key === "aria")
      for (const [name, text] of Object.entries(value))
        element.setAttribute("aria-" + name, text);
    else if (key === "role" || key === "for" || key === "scope")
      element.setAttribute(key, value);
    else
      element[key] = value;
  }
  element.append(...children.flat().filter(child => child !== null && child !== false && child !== undefined));
  return element;
}

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat().filter(child => child !== null && child !== false && child !== undefined));
}

// [[value, text], ...]; chosen: a value.
export function select(label, options, chosen, change, props = {}) {
  const box = el("select", { ...props, title: label, aria: { label }, on: { change: () => change(box.value) } });
  for (const [value, text] of options)
    box.add(new Option(text, value, false, String(value) === String(chosen)));
  return box;
}

export function button(text, click, props = {}) {
  return el("button", { type: "button", ...props, on: { click } }, text);
}

// A button that is on or off.
export function toggle(text, on, change, props = {}) {
  const b = button(text, () => {
    const now = b.getAttribute("aria-pressed") !== "true";
    b.setAttribute("aria-pressed", now);
    change(now);
  }, { ...props, class: "toggle" });
  b.setAttribute("aria-pressed", Boolean(on));
  return b;
}
