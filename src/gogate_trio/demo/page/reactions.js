// The choice of reactions, next to the button that asked for it.

import { byId, h } from "./dom.js";

const CHOICE = [
  ["👍", "Thumbs up"], ["❤️", "Heart"], ["😂", "Tears of joy"], ["🎉", "Party"],
  ["😮", "Astonished"], ["😢", "Crying"], ["🔥", "Fire"], ["✅", "Done"],
];
const GAP = 8;

let asked = null; // {button, add} while open

/** Open the choice beside `button`; `add(emoji)` is called at most once. */
export function openReactions(button, add) {
  const menu = byId("reactions");
  if (asked?.button === button) {
    closeReactions();
    return;
  }
  asked = { button, add };
  menu.hidden = false;
  place(menu, button);
  menu.firstElementChild.focus({ preventScroll: true });
}

export function closeReactions({ refocus = false } = {}) {
  if (!asked) return;
  if (refocus) asked.button.focus({ preventScroll: true });
  asked = null;
  byId("reactions").hidden = true;
}

/** Once, at the start. */
export function prepareReactions() {
  const menu = byId("reactions");
  menu.append(...CHOICE.map(([emoji, label]) => h("button", {
    type: "button", role: "menuitem", class: "emoji", data: { testid: "reaction-option", emoji },
    "aria-label": label, title: label, on: { click: () => pick(emoji) },
  }, emoji)));
  menu.addEventListener("keydown", walk);
  document.addEventListener("pointerdown", ({ target }) => {
    if (asked && !menu.contains(target) && !asked.button.contains(target)) closeReactions();
  });
  byId("thread").addEventListener("scroll", () => closeReactions(), { passive: true });
  window.addEventListener("resize", () => closeReactions());
}

function pick(emoji) {
  const { add } = asked;
  closeReactions({ refocus: true });
  add(emoji);
}

function walk(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (event.key === "Escape") closeReactions({ refocus: true });
  if (!step) return;
  event.preventDefault();
  const options = [...byId("reactions").children];
  const next = (options.indexOf(document.activeElement) + step + options.length) % options.length;
  options[next].focus();
}

/** Above the button, or below where there is no room, and never over the edge. */
function place(menu, button) {
  const spot = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu; // unlike the rectangle, not animated
  const left = Math.min(Math.max(GAP, spot.left + spot.width / 2 - width / 2), innerWidth - width - GAP);
  const above = spot.top - height - GAP;
  menu.style.left = `${left}px`;
  menu.style.top = `${above > GAP ? above : spot.bottom + GAP}px`;
}
