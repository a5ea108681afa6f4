/**
 * A client of GoGate for browsers, and for Node where it is given a WebSocket class.
 *
 * It stays connected, misses nothing and does nothing twice: it resumes where it was after a
 * break, says commands again that were not answered, comes back when it is told to, and brings
 * fresh tokens while it is online. One file, no dependencies; types are in gogate.d.ts.
 */

const FIRST_DELAY = 500; // ms: doubled with every failure in a row …
const LONGEST_DELAY = 15_000; // … up to this
const ANSWER_TIMEOUT = 15_000; // ms from the first byte of a connection to `auth_success`
const COMMANDS = 256; // waiting at once; the gateway remembers as many outcomes of a session

const NOT_AS_YOU_ARE = 4500; // close codes from here on mean: do not come back unchanged
const RENEWABLE = new Set([4501, 4503]); // … but these are worth one try with a fresh token
const AUTH_REFUSALS = new Set(["AUTH_FAILED", "INVALID_AUTH", "TOKEN_REQUIRED"]);
const NOTHING_HAPPENED = new Set(["BACKEND_UNAVAILABLE", "BUSY", "RATE_LIMITED"]);

/** A command that was refused, or that was given up. */
export class GoGateError extends Error {
  constructor(message, code) {
    super(message);
    this.name = "GoGateError";
    this.code = code;
  }
}

function withAuth(url, asked) {
  return `${url}${url.includes("?") ? "&" : "?"}auth=${encodeURIComponent(JSON.stringify(asked))}`;
}

/** See gogate.d.ts for what each option and event means. */
export class GoGate extends EventTarget {
  #url;
  #token;
  #reload;
  #patience;
  #WebSocket;
  #presence;
  #page = null; // ends the listening to the page

  #socket = null;
  #run = 0; // what belongs to an earlier connection counts no more
  #timer = 0;
  #failures = 0;
  #renewals = 0;
  #session = null;
  #position = null; // of the latest event
  #isLoaded = false; // whether everything before it has been taken in
  #loadedAt = null; // the position at which it was last asked to load everything
  #waiting = new Map(); // id → command, in the order in which they were given
  #count = 0;

  state = "closed";

  constructor({ url, token = async () => null, reload = async () => {}, patience = 60_000, presence, WebSocket }) {
    super();
    this.#url = url;
    this.#token = token;
    this.#reload = reload;
    this.#patience = patience;
    this.#presence = presence;
    this.#WebSocket = WebSocket ?? globalThis.WebSocket;
  }

  /** Connect, and stay connected until `close` or a refusal. */
  connect() {
    this.#failures = 0;
    this.#renewals = 0;
    this.#watch();
    this.#open();
  }

  /** Leave for good; commands that wait are given up. */
  close() {
    this.#page?.abort();
    this.#stop();
    this.#become("closed");
    for (const command of this.#waiting.values()) this.#give(command, "CLOSED", "The client was closed");
  }

  /**
   * Have a command done once: now, or when we are online again. Resolves with the data of its
   * `ack`; rejects with a GoGateError.
   */
  command(event, data) {
    if (this.#waiting.size >= COMMANDS) {
      return Promise.reject(new GoGateError("Too many commands are waiting", "QUEUE_FULL"));
    }
    const id = `c${Date.now().toString(36)}-${(this.#count += 1)}`;
    return new Promise((resolve, reject) => {
      const command = { id, event, data, resolve, reject, timer: 0, again: 0 };
      command.timer = setTimeout(() => this.#give(command, "TIMEOUT", "No answer in time"), this.#patience);
      this.#waiting.set(id, command);
      if (this.state === "online") this.#say(command);
    });
  }

  /** Say what may get lost, such as `typing`; false when we are not online. */
  tell(event, data) {
    if (this.state !== "online") return false;
    this.#socket.send(JSON.stringify({ event, data }));
    return true;
  }

  // ── the connection ─────────────────────────────────────────────────────────

  async #open() {
    const run = this.#stop();
    this.#become(this.#session || this.#failures ? "reconnecting" : "connecting");
    let token;
    try {
      token = await this.#token();
    } catch {
      if (run === this.#run) this.#again(0, 0);
      return;
    }
    if (run !== this.#run) return;
    const asked = this.#auth();
    // A cookie speaks for us before we can: what else there is to say goes with the address.
    const socket = new this.#WebSocket(token ? this.#url : withAuth(this.#url, asked));
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#broken(run, 0, ""), ANSWER_TIMEOUT);
    socket.onopen = () => token && socket.send(JSON.stringify({ event: "auth", data: { token, ...asked } }));
    socket.onmessage = ({ data }) => run === this.#run && this.#hear(run, JSON.parse(data));
    socket.onclose = ({ code, reason }) => this.#broken(run, code, String(reason));
    socket.onerror = () => {}; // `close` follows
  }

  #auth() {
    let resume = true;
    // Without a position the gateway has us load everything.
    if (this.#session) resume = { session: this.#session, ...(this.#isLoaded && { position: this.#position }) };
    const asked = { notices: true, resume };
    return this.#presence ? { ...asked, presence: this.#presence } : asked;
  }

  #broken(run, code, reason) {
    if (run !== this.#run) return;
    this.#stop();
    if (code >= NOT_AS_YOU_ARE && !(RENEWABLE.has(code) && this.#renewals++ === 0)) {
      this.#become("refused", code);
      return;
    }
    this.#again(code, Number(/^retry=(\d{1,8})$/.exec(reason)?.[1] ?? 0));
  }

  /** Come back after a while: as told, and longer each time; never all clients at once. */
  #again(code, told) {
    const ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#failures);
    this.#failures += 1;
    const delay = told + 100 + Math.random() * ceiling;
    this.#become("reconnecting", code, delay);
    this.#timer = setTimeout(() => this.#open(), delay);
  }

  /** The network is back, or somebody looks: do not sit out a long delay. */
  #hurry() {
    if (this.state === "reconnecting" && this.#socket === null && this.#failures > 1) {
      this.#failures = 1;
      this.#open();
    }
  }

  /** Hear from the page, where there is one, that it may be worth trying at once. */
  #watch() {
    this.#page?.abort();
    if (typeof window === "undefined") return;
    const { signal } = (this.#page = new AbortController());
    window.addEventListener("online", () => this.#hurry(), { signal });
    const look = () => document.visibilityState === "visible" && this.#hurry();
    document.addEventListener("visibilitychange", look, { signal });
  }

  /** Drop whatever is under way. */
  #stop() {
    clearTimeout(this.#timer);
    for (const command of this.#waiting.values()) clearTimeout(command.again);
    this.#socket?.close(1000);
    this.#socket = null;
    return (this.#run += 1);
  }

  #become(state, code = 0, delay = 0) {
    const changed = this.state !== state;
    this.state = state;
    if (changed) this.#dispatch("state", { state, code, delay });
  }

  // ── what comes ─────────────────────────────────────────────────────────────

  #hear(run, { event, data, id, position }) {
    if (id !== undefined && (event === "ack" || event === "error")) {
      this.#answered(id, event, data);
      return;
    }
    switch (event) {
      case "auth_success":
        this.#welcome(run, data);
        break;
      case "resync":
        if (data.position !== this.#loadedAt) this.#load(run, data.position, data.within_ms);
        break;
      case "auth_expiring":
        this.#renew(run);
        break;
      case "error":
        if (this.state !== "online" && AUTH_REFUSALS.has(data.code)) this.#broken(run, 4501, "");
        break;
    }
    this.#dispatch("event", { name: event, data });
    // After the listeners: had they never heard of it, it would be told again.
    if (position !== undefined && run === this.#run) this.#position = position;
  }

  #welcome(run, { session, position, recovered }) {
    if (this.state === "online" || session === undefined) return; // a fresh token was taken
    clearTimeout(this.#timer);
    this.#failures = 0;
    this.#renewals = 0;
    this.#session = session;
    this.#become("online");
    if (!recovered) this.#load(run, position);
    for (const command of this.#waiting.values()) this.#say(command);
  }

  /**
   * Have everything loaded, at a moment of our own where all clients do so. A connection that
   * ends meanwhile makes us ask for it again.
   */
  async #load(run, position, within = 0) {
    this.#isLoaded = false;
    this.#loadedAt = this.#position = position;
    if (within) await new Promise((resolve) => setTimeout(resolve, Math.random() * within));
    if (run !== this.#run || this.#loadedAt !== position) return;
    try {
      await this.#reload();
    } catch {
      if (run === this.#run) this.#broken(run, 0, "");
      return;
    }
    if (run === this.#run && this.#loadedAt === position) this.#isLoaded = true;
  }

  async #renew(run) {
    try {
      const token = await this.#token();
      // A fresh cookie goes with the next connection, when this one has ended with its token.
      if (run !== this.#run || !token) return;
      this.#socket.send(JSON.stringify({ event: "auth", data: { token, notices: true } }));
    } catch {
      // The connection ends with its token; then we ask again.
    }
  }

  // ── commands ───────────────────────────────────────────────────────────────

  #say({ id, event, data }) {
    this.#socket.send(JSON.stringify({ event, id, data }));
  }

  #answered(id, event, data) {
    const command = this.#waiting.get(id);
    if (command === undefined) return;
    if (event === "ack") {
      this.#forget(command);
      command.resolve(data);
    } else if (NOTHING_HAPPENED.has(data.code)) {
      const run = this.#run;
      const wait = data.retry_after_ms ?? 1000 + Math.random() * 2000;
      command.again = setTimeout(() => run === this.#run && this.#say(command), wait);
    } else {
      this.#give(command, data.code, data.message);
    }
  }

  #give(command, code, message) {
    this.#forget(command);
    command.reject(new GoGateError(message, code));
  }

  #forget(command) {
    clearTimeout(command.timer);
    clearTimeout(command.again);
    this.#waiting.delete(command.id);
  }

  #dispatch(type, detail) {
    this.dispatchEvent(Object.assign(new Event(type), { detail }));
  }
}
