// Messages on their way out. The protocol has no receipt that names what it answers, but the
// answers to one connection keep their order: so one message is under way at a time, and the
// next event that can be its answer is its answer.

const PATIENCE = 20_000;
const SEND_FAILED = "Failed to send message: ";
const OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN";
const ANSWERS = new Set(["SEND_FAILED", "INVALID_MESSAGE", "INVALID_CHAT_ID", "BUSY"]);

let lastKey = 0;

export class Sender {
  #gateway;
  #model;
  #queue = [];
  #flying = null;
  #timer = 0;

  constructor({ gateway, model }) {
    this.#gateway = gateway;
    this.#model = model;
  }

  /** Show the message at once, and send it as soon as it is its turn. */
  send(chat, text, replyTo) {
    lastKey += 1;
    const pending = { key: `p${lastKey}`, chat, text, replyTo, at: new Date(), state: "sending", error: "" };
    chat.pending.push(pending);
    this.#enqueue(pending);
  }

  retry(pending) {
    pending.state = "sending";
    pending.error = "";
    this.#enqueue(pending);
  }

  discard(pending) {
    const { chat } = pending;
    chat.pending = chat.pending.filter((other) => other !== pending);
    this.#model.changed(chat.id);
  }

  /** We are online (again): go on. */
  resume() {
    this.#next();
  }

  /** The connection broke: whether the message under way got there shows in the history. */
  pause() {
    clearTimeout(this.#timer);
  }

  /** After a break, with the chat's latest messages at hand: was the one under way stored? */
  settle(chat) {
    const pending = this.#flying;
    if (pending?.chat !== chat) return;
    const stored = chat.messages.some((message) => message.id > pending.after && this.#isMine(message, pending));
    if (stored) this.#done(pending);
    else this.#fail(pending, "The connection broke before it was sent.");
  }

  /** The chat whose history must be asked after a break. */
  get unsettled() {
    return this.#flying?.chat ?? null;
  }

  /** A stored message came in: perhaps one of ours, even one given up already. */
  heardMessage(message) {
    if (this.#flying && this.#isMine(message, this.#flying)) {
      this.#done(this.#flying);
      return;
    }
    const chat = this.#model.chats.get(message.chatId);
    const late = chat?.pending.find((pending) => pending.state === "failed" && this.#isMine(message, pending));
    if (late) this.discard(late);
  }

  /** An error came in; true when it was about the message under way. */
  heardError({ code, message }) {
    if (!this.#flying) return false;
    if (!ANSWERS.has(code) && !message.startsWith(SEND_FAILED)) return false;
    const reason = message.replace(SEND_FAILED, "").replace("backend error: ", "");
    const unsure = code === OUTCOME_UNKNOWN ? "It may have been sent: no answer came." : null;
    this.#fail(this.#flying, unsure ?? sentence(reason));
    return true;
  }

  #enqueue(pending) {
    this.#queue.push(pending);
    this.#model.changed(pending.chat.id);
    this.#next();
  }

  #next() {
    if (this.#flying || this.#queue.length === 0) return;
    const pending = this.#queue[0];
    const data = { chat_id: pending.chat.id, text: pending.text };
    if (pending.replyTo) data.reply_to_id = pending.replyTo.id;
    if (!this.#gateway.send("send_message", data)) return;
    this.#queue.shift();
    pending.after = pending.chat.last?.id ?? 0;
    this.#flying = pending;
    this.#timer = setTimeout(() => this.#fail(pending, "No answer came."), PATIENCE);
  }

  #done(pending) {
    this.#land();
    this.discard(pending);
    this.#next();
  }

  #fail(pending, error) {
    this.#land();
    pending.state = "failed";
    pending.error = error;
    this.#model.changed(pending.chat.id);
    this.#next();
  }

  #land() {
    clearTimeout(this.#timer);
    this.#flying = null;
  }

  #isMine(message, pending) {
    return message.author.id === this.#model.me.id && message.chatId === pending.chat.id
      && message.text === pending.text;
  }
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.?$/, ".")}`;
