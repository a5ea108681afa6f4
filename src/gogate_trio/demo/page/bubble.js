// One message: its bubble and what hangs on it.

import { avatar, h, icon } from "./dom.js";
import { dateAndTime, people, plural, size, time } from "./format.js";

const ONLY_EMOJI = /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u{FE0F}]*(?:\u{200D}\p{Extended_Pictographic}[\p{Emoji_Modifier}\u{FE0F}]*)*\s*){1,3}$/u;

/**
 * A message as a plain object, all that its looks depend on: `first` and `last` of a run of
 * messages by the same person, `status` and `readers` for one's own.
 */
export function viewOf(model, chat, message, { first, last }) {
  const mine = message.author.id === model.me.id;
  const readers = mine ? model.readBy(chat, message) : 0;
  return {
    id: message.id,
    state: "stored",
    mine,
    author: message.author,
    group: chat.group,
    first,
    last,
    text: message.text,
    at: message.createdAt.getTime(),
    replyTo: message.replyTo,
    attachments: message.attachments,
    reactions: message.reactions.map((reaction) => ({
      emoji: reaction.emoji,
      names: [...reaction.people.values()],
      mine: reaction.people.has(model.me.id),
    })),
    status: readers > 0 ? "read" : "sent",
    readers,
  };
}

export function pendingView(model, pending, { first, last }) {
  return {
    id: pending.key,
    state: pending.state,
    mine: true,
    author: model.me,
    group: false,
    first,
    last,
    text: pending.text,
    at: pending.at.getTime(),
    replyTo: pending.replyTo,
    attachments: [],
    reactions: [],
    status: pending.state,
    error: pending.error,
  };
}

/** The element of a message. `act` is what its buttons do. */
export function bubble(view, act) {
  const faced = !view.mine && view.group;
  const names = ["message", view.mine ? "mine" : "theirs", faced && "faced", view.first && "first", view.last && "last"];
  return h("li", {
    class: names.filter(Boolean).join(" "),
    tabindex: -1, // a touch focuses it, and its buttons show
    data: { testid: "message", messageId: view.id, authorId: view.author.id, state: view.state },
  },
  h("div", { class: "message-body" },
    faced && view.first && h("span", { class: `message-author ink-${view.author.id % 8}` }, view.author.name),
    h("div", { class: "message-line" },
      faced && view.last && avatar({ ...view.author, size: "small" }),
      h("div", { class: ONLY_EMOJI.test(view.text) && !view.replyTo ? "bubble jumbo" : "bubble" },
        view.replyTo && quote(view.replyTo, act),
        view.attachments.map((file) => attachment(file, act)),
        view.text && h("p", { class: "message-text", data: { testid: "message-text" } }, view.text),
        meta(view)),
      view.state === "stored" && actions(view, act)),
    view.reactions.length > 0 && reactions(view, act),
    view.state === "failed" && failure(view, act)));
}

function quote(replyTo, act) {
  return h("button", {
    type: "button", class: "quote", data: { testid: "quote" }, "aria-label": `Replying to ${replyTo.name}: ${replyTo.text}`,
    on: { click: () => act.goTo(replyTo.id) },
  }, h("strong", { class: "ellipsis" }, replyTo.name), h("span", { class: "ellipsis" }, replyTo.text));
}

function attachment(file, act) {
  const url = act.fileUrl(file.file_url);
  if (file.thumbnail_url) {
    return h("a", { class: "picture", href: url, target: "_blank", rel: "noopener" },
      h("img", { src: act.fileUrl(file.thumbnail_url), alt: file.file_name, loading: "lazy", draggable: "false" }));
  }
  return h("a", { class: "file", href: url, target: "_blank", rel: "noopener" },
    icon("file"), h("span", {}, h("strong", { class: "ellipsis" }, file.file_name), h("small", {}, size(file.file_size))));
}

const SIGNS = { sending: ["clock", "Sending"], failed: ["alert", "Not sent"], sent: ["check", "Sent"], read: ["checks", "Read"] };

function meta(view) {
  const at = new Date(view.at);
  const [sign, label] = SIGNS[view.status];
  const told = view.readers > 0 && view.group ? `Read by ${plural(view.readers, "person", "people")}` : label;
  return h("span", { class: "meta" },
    h("time", { datetime: at.toISOString(), title: dateAndTime(at) }, time(at)),
    view.mine && h("span", {
      class: `status is-${view.status}`, data: { testid: "message-status", status: view.status, readers: view.readers ?? 0 },
      role: "img", "aria-label": told, title: told,
    }, icon(sign, "icon tiny")));
}

function actions(view, act) {
  const by = `${view.author.name}'s message`;
  return h("div", { class: "actions" },
    h("button", {
      type: "button", class: "icon-button small", data: { testid: "react-button", focus: `react-${view.id}` },
      "aria-label": `React to ${by}`, "aria-haspopup": "menu", on: { click: (event) => act.react(view.id, event.currentTarget) },
    }, icon("smile")),
    h("button", {
      type: "button", class: "icon-button small", data: { testid: "reply-button", focus: `reply-${view.id}` },
      "aria-label": `Reply to ${by}`, on: { click: () => act.reply(view.id) },
    }, icon("reply")));
}

function reactions(view, act) {
  return h("div", { class: "reactions" }, view.reactions.map(({ emoji, names, mine }) => h("button", {
    type: "button",
    class: "reaction",
    data: { testid: "reaction", emoji, count: names.length, focus: `chip-${view.id}-${emoji}` },
    "aria-pressed": String(mine),
    "aria-label": `${emoji} by ${people(names)}`,
    title: people(names),
    on: { click: () => { if (!mine) act.addReaction(view.id, emoji); } },
  }, h("span", { class: "emoji" }, emoji), h("span", {}, names.length))));
}

function failure(view, act) {
  return h("div", { class: "failure" },
    h("span", { role: "alert", data: { testid: "message-error" } }, view.error),
    h("button", { type: "button", class: "link", data: { testid: "retry-button", focus: `retry-${view.id}` }, on: { click: () => act.retry(view.id) } }, "Try again"),
    h("button", { type: "button", class: "link", data: { testid: "discard-button", focus: `discard-${view.id}` }, on: { click: () => act.discard(view.id) } }, "Discard"));
}
