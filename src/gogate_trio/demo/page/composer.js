// Where messages are written: growing field, reply bar, and telling others that one types.

import { byId } from "./dom.js";

const MOST = 4000;
const COUNT_FROM = 3600;
const TELL_EVERY = 3000;
const STOPS_AFTER = 4000;

export class Composer {
  #model;
  #send;
  #tell;
  #field = byId("composer");
  #toldAt = 0;
  #tellingIn = 0;
  #timer = 0;

  /** `send(chat, text, replyTo)`, and `tell(chatId, isTyping)`. */
  constructor(model, { send, tell }) {
    this.#model = model;
    this.#send = send;
    this.#tell = tell;
    byId("composer-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#field.addEventListener("input", () => this.#typed());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("blur", () => this.#stopped());
    byId("cancel-reply").addEventListener("click", () => this.reply(null));
  }

  /** Turn to the open chat: its draft, its reply. */
  turn() {
    this.#stopped();
    const { open } = this.#model;
    this.#field.value = open?.draft ?? "";
    this.#showReply();
    this.#fit();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  /** Reply to a message of the open chat, or to none. */
  reply(message) {
    const { open } = this.#model;
    if (!open) return;
    open.replyTo = message && { id: message.id, name: message.author.name, text: message.text || "Attachment" };
    this.#showReply();
    this.focus();
  }

  #submit() {
    const { open } = this.#model;
    const text = this.#field.value.trim();
    if (!open || !text) return;
    const { replyTo } = open;
    open.draft = "";
    open.replyTo = null;
    this.#field.value = "";
    this.#stopped();
    this.#showReply();
    this.#fit();
    this.focus();
    this.#send(open, text, replyTo);
  }

  #key(event) {
    if (event.key === "Escape" && this.#model.open?.replyTo) {
      event.stopPropagation();
      this.reply(null);
    }
    // Enter that ends the choice of a character (Japanese, Chinese) is not for us.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#submit();
  }

  #typed() {
    const { open } = this.#model;
    if (!open) return;
    open.draft = this.#field.value;
    this.#fit();
    if (!open.draft.trim()) {
      this.#stopped();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#stopped(), STOPS_AFTER);
    if (Date.now() - this.#toldAt < TELL_EVERY) return;
    this.#toldAt = Date.now();
    this.#tellingIn = open.id;
    this.#tell(open.id, true);
  }

  #stopped() {
    clearTimeout(this.#timer);
    this.#toldAt = 0;
    if (this.#tellingIn === 0) return;
    this.#tell(this.#tellingIn, false);
    this.#tellingIn = 0;
  }

  #showReply() {
    const replyTo = this.#model.open?.replyTo ?? null;
    byId("reply-bar").hidden = replyTo === null;
    byId("reply-name").textContent = replyTo?.name ?? "";
    byId("reply-text").textContent = replyTo?.text ?? "";
  }

  #fit() {
    const { length } = this.#field.value;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
    byId("send").disabled = !this.#field.value.trim();
    byId("counter").hidden = length < COUNT_FROM;
    byId("counter").textContent = String(MOST - length);
  }
}
