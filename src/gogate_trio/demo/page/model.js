// What the page knows: chats, their messages, who types, what is unread. No elements, no network.
// Every change is announced by one "change" event with the id of the chat (0: the list of chats).

const TYPING_LASTS = 6000;

export class Model extends EventTarget {
  chats = new Map();
  openId = 0;

  constructor(me) {
    super();
    this.me = me;
  }

  get open() {
    return this.chats.get(this.openId) ?? null;
  }

  /** The chats, the one with the latest message first. */
  get list() {
    return [...this.chats.values()].sort((one, other) => (other.last?.id ?? 0) - (one.last?.id ?? 0));
  }

  get unread() {
    return [...this.chats.values()].reduce((sum, chat) => sum + chat.unread, 0);
  }

  /** Take over the backend's list of chats; what was loaded of them stays. */
  takeChats(entries) {
    const before = this.chats;
    this.chats = new Map(entries.map((entry) => [entry.id, takeEntry(entry, before.get(entry.id))]));
    this.changed(0);
  }

  /** Take over the latest page of a chat's history, joining it to what is there if it reaches. */
  takeLatest(chat, { messages, has_more: hasMore }) {
    const fresh = messages.map(takeMessage);
    const reaches = fresh.length > 0 && chat.messages.some((known) => known.id >= fresh[0].id);
    const kept = reaches ? chat.messages.filter((known) => known.id < fresh[0].id) : [];
    chat.messages = [...kept, ...fresh];
    if (!reaches) chat.hasMore = hasMore;
    chat.loaded = true;
    this.changed(chat.id);
  }

  takeOlder(chat, { messages, has_more: hasMore }) {
    const first = chat.messages[0]?.id ?? Infinity;
    const older = messages.map(takeMessage).filter((message) => message.id < first);
    chat.messages = [...older, ...chat.messages];
    chat.hasMore = hasMore;
    this.changed(chat.id);
  }

  /** A message came in; false when its chat is not known. `seen`: it is being looked at. */
  takeMessage(data, { seen }) {
    const chat = this.chats.get(data.chat_id);
    if (!chat) return false;
    const message = takeMessage(data);
    if (chat.messages.some((known) => known.id === message.id)) return true;
    if (message.id > (chat.last?.id ?? 0)) chat.last = message;
    if (chat.loaded) {
      chat.messages.push(message);
      chat.messages.sort((one, other) => one.id - other.id);
    }
    this.stopTyping(chat, message.author.id);
    if (message.author.id !== this.me.id && message.id > chat.countedUpTo) {
      chat.countedUpTo = message.id;
      chat.unread += 1;
      chat.firstUnread ??= message.id;
      if (!seen) chat.divider ??= message.id;
    }
    this.changed(chat.id);
    return true;
  }

  takeReaction({ message_id: messageId, user_id: userId, name, emoji }) {
    this.#withMessage(messageId, (message) => {
      const found = message.reactions.find((reaction) => reaction.emoji === emoji);
      if (found) found.people.set(userId, name);
      else message.reactions.push({ emoji, people: new Map([[userId, name]]) });
    });
  }

  takeRead({ message_ids: messageIds, user_id: userId }) {
    for (const messageId of messageIds) {
      this.#withMessage(messageId, (message, chat) => {
        if (userId === this.me.id) this.noteRead(chat, [messageId]);
        else if (message.author.id !== userId) message.readers.add(userId);
      });
    }
  }

  takeTyping({ chat_id: chatId, user_id: userId, name, is_typing: isTyping }) {
    const chat = this.chats.get(chatId);
    if (!chat || userId === this.me.id) return;
    this.stopTyping(chat, userId);
    if (isTyping) {
      const timer = setTimeout(() => {
        this.stopTyping(chat, userId);
        this.changed(chat.id);
      }, TYPING_LASTS);
      chat.typing.set(userId, { name, timer });
    }
    this.changed(chat.id);
  }

  stopTyping(chat, userId) {
    clearTimeout(chat.typing.get(userId)?.timer);
    chat.typing.delete(userId);
  }

  isUnread(chat, message) {
    return message.author.id !== this.me.id && chat.firstUnread !== null
      && message.id >= chat.firstUnread && !chat.read.has(message.id);
  }

  /** These messages have been read by the user, here or in another tab. */
  noteRead(chat, messageIds) {
    const news = messageIds.filter((id) => !chat.read.has(id));
    if (chat.firstUnread === null || news.length === 0) return;
    news.forEach((id) => chat.read.add(id));
    chat.unread = Math.max(0, chat.unread - news.length);
    if (chat.unread === 0) {
      chat.firstUnread = null;
      chat.read.clear();
    }
    this.changed(chat.id);
  }

  /** Everybody else who is known to have read a message. */
  readBy(chat, message) {
    return Math.min(chat.memberCount - 1, message.readCount + message.readers.size);
  }

  changed(chatId) {
    this.dispatchEvent(new CustomEvent("change", { detail: chatId }));
  }

  #withMessage(messageId, work) {
    for (const chat of this.chats.values()) {
      const message = chat.messages.find((known) => known.id === messageId);
      if (!message) continue;
      work(message, chat);
      this.changed(chat.id);
      return;
    }
  }
}

function takeEntry(entry, before) {
  const chat = before ?? {
    id: entry.id, messages: [], hasMore: false, loaded: false, loading: false,
    typing: new Map(), read: new Set(), pending: [], divider: null, draft: "", replyTo: null,
  };
  chat.group = entry.type === "group";
  chat.name = entry.name;
  chat.peer = entry.peer;
  chat.memberCount = entry.member_count;
  chat.unread = entry.unread_count;
  chat.firstUnread = entry.first_unread_id;
  chat.read.clear();
  chat.last = entry.last_message ? takeMessage(entry.last_message) : null;
  chat.countedUpTo = chat.last?.id ?? 0; // the backend has counted these itself
  return chat;
}

/** A MessageResponse in either dialect of the backend. */
function takeMessage(data) {
  return {
    id: data.id,
    chatId: data.chat_id,
    author: { id: data.user.id ?? data.user.user_id, name: nameOf(data.user) },
    text: data.text ?? "",
    createdAt: new Date(data.created_at),
    replyTo: data.reply_to && {
      id: data.reply_to.id, name: nameOf(data.reply_to.user), text: data.reply_to.text ?? "Attachment",
    },
    attachments: data.attachments ?? [],
    reactions: (data.reactions ?? []).map(({ emoji, users }) => ({
      emoji, people: new Map(users.map((user) => [user.id, nameOf(user)])),
    })),
    readCount: data.read_count ?? 0,
    readers: new Set(),
  };
}

function nameOf(user) {
  return user.name ?? user.full_name ?? `${user.first_name ?? ""} ${user.last_name ?? ""}`.trim();
}
