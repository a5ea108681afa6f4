// The first screen: whom this tab shall be. Remembered per tab, so two tabs are two people.

import { avatar, byId, h } from "./dom.js";

const KEY = "gogate.person";

/** Whom this tab is to be: named in the address, or chosen here before; else null. */
export function remembered(people) {
  const address = new URL(location.href);
  const asked = address.searchParams.get("user") ?? sessionStorage.getItem(KEY);
  if (address.searchParams.has("user")) {
    address.searchParams.delete("user");
    history.replaceState(null, "", address);
  }
  const person = people.find((one) => String(one.id) === asked) ?? null;
  if (person) sessionStorage.setItem(KEY, String(person.id));
  return person;
}

/** Let somebody be chosen. */
export function choose(people) {
  byId("picker").hidden = false;
  return new Promise((chosen) => {
    const pick = (person) => {
      sessionStorage.setItem(KEY, String(person.id));
      byId("picker").hidden = true;
      chosen(person);
    };
    byId("people").replaceChildren(...people.map((person) => card(person, pick)));
  });
}

/** Back to the first screen. A fresh page is the surest way to leave nothing behind. */
export function forget() {
  sessionStorage.removeItem(KEY);
  history.replaceState(null, "", location.pathname);
  location.reload();
}

function card(person, pick) {
  return h("li", {}, h("button", {
    type: "button", class: "person", data: { testid: `person-${person.id}` }, on: { click: () => pick(person) },
  }, avatar({ ...person, size: "large" }), h("strong", {}, person.name), h("span", {}, person.title)));
}
