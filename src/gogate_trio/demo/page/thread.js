// The messages of the open chat: order, headings, scrolling, and what has been looked at.

import { bubble, pendingView, viewOf } from "./bubble.js";
import { byId, h, reconcile } from "./dom.js";
import { day, sameDay } from "./format.js";

const RUN = 5 * 60 * 1000;
const NEAR = 60; // pixels from the bottom that still count as the bottom

export class Thread {
  #model;
  #act;
  #box = byId("thread");
  #list = byId("messages");
  #shown = 0;
  #sticky = true;

  /** `act`: what the buttons of a message do, `older(chat)`: load more, `look()`: see what is read. */
  constructor(model, act) {
    this.#model = model;
    this.#act = { ...act, goTo: (id) => this.goTo(id) };
    this.#box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    byId("jump").addEventListener("click", () => this.toBottom({ smooth: true }));
    new IntersectionObserver(([entry]) => { if (entry.isIntersecting) this.#wantOlder(); }, {
      root: this.#box, rootMargin: "400px 0px 0px",
    }).observe(byId("sentinel"));
    new ResizeObserver(() => { if (this.#sticky) this.toBottom(); }).observe(this.#box);
  }

  /** Whether somebody who looks at the page sees the latest message. */
  get atBottom() {
    return this.#sticky;
  }

  render() {
    const chat = this.#model.open;
    if (!chat) return;
    const turned = this.#shown !== chat.id;
    if (turned) {
      this.#list.replaceChildren();
      this.#sticky = true;
    }
    const first = this.#list.querySelector("[data-message-id]");
    const offset = first ? first.getBoundingClientRect().top : 0;
    this.#list.classList.toggle("settled", !turned && chat.loaded);
    byId("loading-older").hidden = !chat.loading;

    reconcile(this.#list, this.#rows(chat));

    if (turned && chat.loaded) {
      this.#shown = chat.id;
      this.#toNew();
    } else if (this.#sticky) this.toBottom();
    else if (first?.isConnected) this.#box.scrollTop += first.getBoundingClientRect().top - offset;
    this.#jumpButton(chat);
    this.#act.look();
  }

  /** Forget what is shown, so that the next chat starts where it should. */
  leave() {
    this.#shown = 0;
  }

  toBottom({ smooth = false } = {}) {
    this.#sticky = true;
    this.#box.scrollTo({ top: this.#box.scrollHeight, behavior: smooth ? "smooth" : "instant" });
  }

  /** Bring a message into view and point at it; false when it is not loaded. */
  goTo(messageId) {
    const element = this.#list.querySelector(`[data-message-id="${Number(messageId)}"]`);
    if (!element) return false;
    element.scrollIntoView({ block: "center", behavior: "smooth" });
    element.classList.remove("pointed-at");
    requestAnimationFrame(() => element.classList.add("pointed-at"));
    return true;
  }

  /** Ids of the unread messages that have been scrolled into view. */
  lookedAt(chat) {
    const bottom = this.#box.getBoundingClientRect().bottom + 4;
    const inView = ({ id }) => {
      const element = this.#list.querySelector(`[data-message-id="${id}"]`);
      return element !== null && element.getBoundingClientRect().top < bottom - 24;
    };
    return chat.messages.filter((message) => this.#model.isUnread(chat, message) && inView(message))
      .map(({ id }) => id);
  }

  #rows(chat) {
    const rows = [];
    const { messages } = chat;
    messages.forEach((message, place) => {
      const before = messages[place - 1];
      const after = messages[place + 1];
      if (!before || !sameDay(before.createdAt, message.createdAt)) rows.push(heading(message));
      if (message.id === chat.divider) rows.push(divider());
      const run = { first: !isRun(chat, before, message), last: !isRun(chat, message, after) };
      rows.push(this.#row(viewOf(this.#model, chat, message, run)));
    });
    chat.pending.forEach((pending, place) => {
      const run = { first: place === 0, last: place === chat.pending.length - 1 };
      rows.push(this.#row(pendingView(this.#model, pending, run)));
    });
    if (chat.loaded && rows.length === 0) rows.push(emptiness(chat));
    return rows;
  }

  #row(view) {
    return { key: `m${view.id}`, signature: JSON.stringify(view), make: () => bubble(view, this.#act) };
  }

  /** Where to start in a chat: at what is new, or at the end. */
  #toNew() {
    const line = this.#list.querySelector(".new-divider");
    this.toBottom();
    if (!line) return;
    const above = line.getBoundingClientRect().top - this.#box.getBoundingClientRect().top;
    if (above >= 0) return;
    this.#sticky = false;
    this.#box.scrollTop += above - 24;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    this.#sticky = scrollHeight - scrollTop - clientHeight < NEAR;
    const chat = this.#model.open;
    if (!chat) return;
    this.#jumpButton(chat);
    this.#act.look();
  }

  #wantOlder() {
    const chat = this.#model.open;
    if (chat?.loaded && chat.hasMore && !chat.loading) this.#act.older(chat);
  }

  /** After older messages came the sentinel may still be in view, and then stays silent. */
  wantOlderStill() {
    const { top } = this.#box.getBoundingClientRect();
    if (byId("sentinel").getBoundingClientRect().top > top - 400) this.#wantOlder();
  }

  #jumpButton(chat) {
    byId("jump").hidden = this.#sticky;
    byId("jump-count").hidden = chat.unread === 0;
    byId("jump-count").textContent = String(chat.unread);
  }
}

/** Whether the second of two messages goes on where the first one stopped. */
function isRun(chat, one, other) {
  return Boolean(one && other) && one.author.id === other.author.id && other.id !== chat.divider
    && other.createdAt - one.createdAt < RUN && sameDay(one.createdAt, other.createdAt);
}

function heading(message) {
  const text = day(message.createdAt);
  return { key: `d${message.createdAt.toDateString()}`, signature: text, make: () => h("li", { class: "day" }, h("span", {}, text)) };
}

function divider() {
  return { key: "new", signature: "", make: () => h("li", { class: "new-divider", data: { testid: "new-divider" } }, h("span", {}, "New messages")) };
}

function emptiness(chat) {
  const text = `Nobody has said anything yet. Say hello to ${chat.name}!`;
  return { key: "empty", signature: text, make: () => h("li", { class: "emptiness" }, text) };
}
