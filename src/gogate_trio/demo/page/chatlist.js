// The list of chats.

import { avatar, byId, h, reconcile } from "./dom.js";
import { brief, firstName, number, typing } from "./format.js";

/** Show the list as it is now; `open` opens a chat. */
export function renderChats(model, open) {
  reconcile(byId("chat-list"), model.list.map((chat) => {
    const view = viewOf(model, chat);
    return { key: String(chat.id), signature: JSON.stringify(view), make: () => row(view, open) };
  }));
}

function viewOf(model, chat) {
  const typists = [...chat.typing.values()].map(({ name }) => name);
  return {
    id: chat.id,
    name: chat.name,
    group: chat.group,
    face: chat.peer?.id ?? chat.id,
    current: chat.id === model.openId,
    unread: chat.unread,
    typing: typing(typists),
    when: chat.last ? brief(chat.last.createdAt) : "",
    preview: chat.last ? preview(model, chat) : "Nobody has said anything yet",
  };
}

function preview(model, chat) {
  const { author, text, attachments } = chat.last;
  const what = text || attachments[0]?.file_name || "";
  if (author.id === model.me.id) return `You: ${what}`;
  return chat.group ? `${firstName(author.name)}: ${what}` : what;
}

function row(view, open) {
  const badge = view.unread > 0 && h("span", {
    class: "badge", data: { testid: `unread-${view.id}` }, "aria-label": `${view.unread} unread`,
  }, view.unread > 99 ? "99+" : number(view.unread));
  return h("li", {}, h("button", {
    type: "button",
    class: view.unread > 0 ? "chat-row has-unread" : "chat-row",
    "aria-current": view.current ? "true" : null,
    data: { testid: `chat-${view.id}`, focus: `chat-${view.id}` },
    on: { click: () => open(view.id), keydown: walk },
  },
  avatar({ id: view.face, name: view.name, group: view.group }),
  h("span", { class: "chat-row-name ellipsis" }, view.name),
  h("time", { class: "chat-row-time" }, view.when),
  h("span", { class: `chat-row-preview ellipsis ${view.typing ? "is-typing" : ""}` }, view.typing || view.preview),
  badge));
}

/** Arrow keys go up and down the list. */
function walk(event) {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  if (!step) return;
  event.preventDefault();
  event.currentTarget.parentElement[step]?.querySelector("button").focus();
}
