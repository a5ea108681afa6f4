// Building elements. Data only ever becomes text nodes and attributes, never markup.

const signatures = new WeakMap(); // element → what it was made from
const SVG = "http://www.w3.org/2000/svg";

/** An element by its id; it is part of index.html. */
export const byId = (id) => document.getElementById(id);

/**
 * Make an element. `properties` are attributes, but for `class`, `data` (an object of data-*)
 * and `on` (an object of listeners); null and false leave an attribute out.
 * Strings among the children become text.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "on") listen(element, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

function listen(element, listeners) {
  for (const [event, listener] of Object.entries(listeners)) {
    element.addEventListener(event, listener);
  }
}

/** One of the icons at the top of index.html. */
export function icon(name, className = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A round picture with initials, or the sign of a group; its colour is the id's for ever. */
export function avatar({ id, name, group = false, size = "" }) {
  const inside = group ? icon("group") : initials(name);
  return h("span", { class: `avatar hue-${id % 8} ${size}`, "aria-hidden": "true" }, inside);
}

function initials(name) {
  const words = name.trim().split(/\s+/);
  const letters = [words[0], words.length > 1 ? words.at(-1) : ""];
  return letters.map((word) => [...word][0] ?? "").join("").toUpperCase();
}

/**
 * Make `parent` show exactly these rows ({key, signature, make}), in this order. Elements whose
 * signature is unchanged stay where they are, with their focus and their state.
 */
export function reconcile(parent, rows) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const focus = document.activeElement?.closest?.("[data-focus]")?.dataset.focus;
  let place = parent.firstElementChild;
  for (const { key, signature, make } of rows) {
    let element = before.get(key);
    before.delete(key);
    if (!element || signatures.get(element) !== signature) {
      const fresh = make();
      fresh.dataset.key = key;
      signatures.set(fresh, signature);
      fresh.classList.toggle("arriving", !element);
      if (element) {
        if (place === element) place = fresh;
        element.replaceWith(fresh);
      }
      element = fresh;
    }
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const leftover of before.values()) leftover.remove();
  if (focus && !document.activeElement?.closest?.("[data-focus]")) {
    parent.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
  }
}

/** Run `work` once, soon, however often it is asked for meanwhile. */
export function soon(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    queueMicrotask(() => {
      asked = false;
      work();
    });
  };
}

let toastTimer = 0;

/** Say something in passing. */
export function toast(text) {
  const element = byId("toast");
  element.textContent = text;
  element.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { element.hidden = true; }, 5000);
}
