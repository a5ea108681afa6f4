// The backend's REST API, as far as the page calls it itself. Everything live goes through the
// gateway.

export class RequestError extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export class Api {
  #base;
  #userId;
  #token = "";

  constructor(base, userId = 0) {
    this.#base = base;
    this.#userId = userId;
  }

  /** Where a path of an answer (a file) really is. */
  url(path) {
    return new URL(path, this.#base).href;
  }

  async people() {
    const { users } = await this.#request("/api/v1/demo/users");
    return users.filter((one) => one.is_active);
  }

  /** A fresh token; later requests use it too. */
  async token() {
    const { token } = await this.#request("/api/v1/demo/tokens", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user_id: this.#userId }),
    });
    this.#token = token;
    return token;
  }

  async chats() {
    return (await this.#authorized("/api/v1/chats")).chats;
  }

  /** A page of history: {messages, has_more}, oldest first. */
  async history(chatId, before = null) {
    const query = before === null ? "?limit=40" : `?limit=40&before=${before}`;
    return this.#authorized(`/api/v1/chats/${chatId}/messages${query}`);
  }

  async #authorized(path) {
    if (!this.#token) await this.token();
    const ask = () => this.#request(path, { headers: { Authorization: `Bearer ${this.#token}` } });
    try {
      return await ask();
    } catch (error) {
      if (error.status !== 401) throw error;
    }
    await this.token(); // it has run out: once more with a new one
    return ask();
  }

  async #request(path, options = {}) {
    const answer = await fetch(this.#base + path, { credentials: "omit", ...options });
    const body = await answer.json().catch(() => ({}));
    if (answer.ok) return body;
    throw new RequestError(answer.status, body.error ?? body.message ?? `status ${answer.status}`);
  }
}
