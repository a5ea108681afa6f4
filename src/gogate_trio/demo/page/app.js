// The page: puts the parts together and decides what happens when.

import { Api } from "./api.js";
import { renderChats } from "./chatlist.js";
import { Composer } from "./composer.js";
import { avatar, byId, soon, toast } from "./dom.js";
import { plural, typing } from "./format.js";
import { Gateway } from "./gateway.js";
import { Model } from "./model.js";
import { choose, forget, remembered } from "./picker.js";
import { closeReactions, openReactions, prepareReactions } from "./reactions.js";
import { Sender } from "./sender.js";
import { Thread } from "./thread.js";

const STATES = {
  connecting: "Connecting…", online: "Online", reconnecting: "Reconnecting…", offline: "Offline", refused: "Signed out",
};
const BANNERS = {
  reconnecting: "The connection broke. Messages wait here until it is back.",
  offline: "You are offline. Messages wait here until the network is back.",
  refused: "The gateway has ended this session.",
};
const MOST_READ = 100;
const WIDE = matchMedia("(min-width: 760px)");

class Page {
  constructor(config, me) {
    this.config = config;
    this.me = me;
    this.api = new Api(config.backend, me.id);
    this.model = new Model(me);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.gateway = new Gateway({
      url: `${scheme}//${location.host}${config.websocket}`, token: () => this.#token(),
    });
    this.sender = new Sender({ gateway: this.gateway, model: this.model });
    this.look = soon(() => this.#markRead());
    this.thread = new Thread(this.model, this.#actions());
    this.composer = new Composer(this.model, {
      send: (chat, text, replyTo) => this.#send(chat, text, replyTo),
      tell: (chatId, isTyping) => this.gateway.send("typing", { chat_id: chatId, is_typing: isTyping }),
    });
    this.render = soon(() => this.#render());
    this.model.addEventListener("change", () => this.render());
  }

  async start() {
    byId("me-avatar").replaceWith(avatar({ ...this.me }));
    byId("me-name").textContent = this.me.name;
    byId("switch").addEventListener("click", () => forget());
    byId("second").href = `/demo?user=${this.me.id === 1 ? 2 : 1}`;
    byId("back").addEventListener("click", () => { location.hash = ""; });
    byId("banner").addEventListener("click", ({ target }) => { if (target.closest("button")) this.gateway.connect(); });
    byId("app").hidden = false;
    prepareReactions();
    document.addEventListener("visibilitychange", () => this.look());
    window.addEventListener("hashchange", () => this.#route());
    this.gateway.addEventListener("event", ({ detail }) => this.#heard(detail));
    this.gateway.addEventListener("state", ({ detail }) => this.#connection(detail));
    this.gateway.connect();
    await this.#loadChats();
    if (!location.hash && WIDE.matches) location.replace(`#chat-${this.model.list[0]?.id ?? 0}`);
    this.#route();
  }

  /** A fresh token. A demo that was started anew may have other chats at another address. */
  async #token() {
    if (this.wasOnline) {
      const config = await loadConfig();
      if (JSON.stringify(config) !== JSON.stringify(this.config)) {
        location.reload();
        throw new Error("the page starts anew");
      }
    }
    return this.api.token();
  }

  #actions() {
    const message = (id) => this.model.open?.messages.find((known) => known.id === id);
    const pending = (key) => this.model.open?.pending.find((known) => known.key === key);
    const addReaction = (id, emoji) => {
      if (!this.gateway.send("add_reaction", { message_id: id, emoji })) toast("Reactions need a connection.");
    };
    return {
      look: () => this.look(),
      older: (chat) => this.#loadOlder(chat),
      fileUrl: (path) => this.api.url(path),
      reply: (id) => this.composer.reply(message(id)),
      react: (id, button) => openReactions(button, (emoji) => addReaction(id, emoji)),
      addReaction,
      retry: (key) => this.sender.retry(pending(key)),
      discard: (key) => this.sender.discard(pending(key)),
    };
  }

  // ── which chat ─────────────────────────────────────────────────────────────

  #route() {
    const chat = this.model.chats.get(Number(location.hash.replace("#chat-", ""))) ?? null;
    if (this.model.open && this.model.open !== chat) this.model.open.divider = null;
    this.model.openId = chat?.id ?? 0;
    byId("app").dataset.view = chat ? "chat" : "list";
    byId("conversation").hidden = !chat;
    byId("nothing-open").hidden = Boolean(chat);
    closeReactions();
    this.thread.leave();
    this.composer.turn();
    if (!chat) {
      this.render();
      return;
    }
    byId("conversation").dataset.chatId = chat.id;
    chat.divider ??= chat.messages.find((message) => this.model.isUnread(chat, message))?.id ?? chat.firstUnread;
    if (chat.loaded) this.render();
    else this.#loadLatest(chat);
    if (WIDE.matches) this.composer.focus();
  }

  // ── what is loaded ─────────────────────────────────────────────────────────

  async #loadChats() {
    try {
      this.model.takeChats(await this.api.chats());
    } catch {
      toast("The chats could not be loaded.");
    }
  }

  async #loadLatest(chat) {
    await this.#load(chat, async () => this.model.takeLatest(chat, await this.api.history(chat.id)));
  }

  async #loadOlder(chat) {
    const before = chat.messages[0]?.id ?? null;
    await this.#load(chat, async () => this.model.takeOlder(chat, await this.api.history(chat.id, before)));
    this.thread.wantOlderStill();
  }

  async #load(chat, work) {
    chat.loading = true;
    this.render();
    try {
      await work();
    } catch {
      toast("The messages could not be loaded.");
    }
    chat.loading = false;
    this.model.changed(chat.id);
  }

  /** After a break: what has been missed is in the backend. */
  async #catchUp() {
    const { open } = this.model;
    for (const chat of this.model.chats.values()) if (chat !== open) chat.loaded = false;
    await this.#loadChats();
    for (const chat of new Set([this.model.open, this.sender.unsettled])) {
      if (chat) await this.#loadLatest(chat);
      if (chat) this.sender.settle(chat);
    }
    this.sender.resume();
  }

  // ── what happens ───────────────────────────────────────────────────────────

  #heard({ name, data }) {
    if (name === "new_message") this.#newMessage(data);
    else if (name === "user_typing") this.model.takeTyping(data);
    else if (name === "new_reaction") this.model.takeReaction(data);
    else if (name === "message_read") this.model.takeRead(data);
    else if (name === "error") this.#refused(data);
  }

  #newMessage(data) {
    const seen = data.chat_id === this.model.openId && this.thread.atBottom && document.visibilityState === "visible";
    if (!this.model.takeMessage(data, { seen })) this.#loadChats();
    this.sender.heardMessage({ chatId: data.chat_id, text: data.text, author: { id: data.user.id ?? data.user.user_id } });
  }

  #refused(error) {
    if (this.sender.heardError(error)) return;
    if (error.code === "REACTION_FAILED") toast(error.message.replace("backend error: ", ""));
  }

  #send(chat, text, replyTo) {
    chat.divider = null;
    this.thread.toBottom();
    this.sender.send(chat, text, replyTo);
  }

  #markRead() {
    const { open } = this.model;
    if (!open?.loaded || document.visibilityState !== "visible") return;
    const ids = this.thread.lookedAt(open).slice(0, MOST_READ);
    if (ids.length === 0) return;
    if (this.gateway.send("mark_read", { message_ids: ids })) this.model.noteRead(open, ids);
  }

  #connection({ state }) {
    byId("connection").dataset.state = state;
    byId("connection").textContent = STATES[state];
    byId("banner").hidden = !(state in BANNERS);
    byId("banner").textContent = BANNERS[state] ?? "";
    if (state === "refused") byId("banner").append(" ", Object.assign(document.createElement("button"), { type: "button", className: "link", textContent: "Connect again" }));
    if (state !== "online") this.sender.pause();
    else if (this.wasOnline) this.#catchUp();
    else this.sender.resume();
    this.wasOnline ||= state === "online";
    this.look();
  }

  // ── what is seen ───────────────────────────────────────────────────────────

  #render() {
    renderChats(this.model, (id) => { location.hash = `#chat-${id}`; });
    const { unread, open } = this.model;
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${open ? `${open.name} · ` : ""}BuzzChat`;
    if (!open) return;
    const typists = typing([...open.typing.values()].map(({ name }) => name));
    const face = avatar({ id: open.peer?.id ?? open.id, name: open.name, group: open.group });
    byId("chat-avatar").replaceChildren(face);
    byId("chat-title").textContent = open.name;
    byId("chat-subtitle").textContent = open.group ? plural(open.memberCount, "member", "members") : "Direct chat";
    byId("typing").textContent = typists;
    this.thread.render();
  }
}

async function loadConfig() {
  return (await fetch("/demo/config.json")).json();
}

async function start() {
  const config = await loadConfig();
  const people = await new Api(config.backend).people();
  const me = remembered(people) ?? await choose(people);
  await new Page(config, me).start();
}

start().catch(() => toast("The demo's backend does not answer. Is it still running?"));
