// The WebSocket to the gateway: one envelope {"event", "data"} a message, authentication first,
// and coming back after a break. Knows nothing of chats.
//
// Events: "state" (detail: {state, code}) and "event" (detail: {name, data}).
//   connecting    the first time            online        authenticated
//   reconnecting  after a break             offline       the browser has no network
//   refused       the gateway wants us no more as we are; connect() tries again

const FIRST_DELAY = 500;
const LONGEST_DELAY = 15_000;
const AUTH_TIMEOUT = 15_000;

const NOT_AS_YOU_ARE = 4500; // and above
const NOT_AUTHENTICATED = 4501;
const TOKEN_EXPIRED = 4503;

// Codes of an `error` that answers `auth` and will be the same next time.
const AUTH_REFUSALS = new Set(["AUTH_FAILED", "INVALID_AUTH", "TOKEN_REQUIRED"]);

export class Gateway extends EventTarget {
  #url;
  #token;
  #socket = null;
  #timer = 0;
  #attempts = 0;
  #renewals = 0;
  #run = 0;
  state = "connecting";

  /** `token` is an async function that gets a fresh token. */
  constructor({ url, token }) {
    super();
    this.#url = url;
    this.#token = token;
    window.addEventListener("online", () => this.#hurry());
    window.addEventListener("offline", () => this.#lost());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#hurry();
    });
  }

  /** Connect, and stay connected until `close` or a refusal. */
  connect() {
    this.#attempts = 0;
    this.#renewals = 0;
    this.#open();
  }

  /** Leave for good. */
  close() {
    this.#stop();
  }

  /** Say something; false when we are not online. */
  send(event, data) {
    if (this.state !== "online") return false;
    this.#socket.send(JSON.stringify({ event, data }));
    return true;
  }

  async #open() {
    const run = this.#stop();
    this.#become(this.#attempts === 0 && this.state === "connecting" ? "connecting" : "reconnecting");
    let token;
    try {
      token = await this.#token();
    } catch {
      if (run === this.#run) this.#again(0);
      return;
    }
    if (run !== this.#run) return;
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#broken(run, 0), AUTH_TIMEOUT);
    socket.onopen = () => socket.send(JSON.stringify({ event: "auth", data: { token } }));
    socket.onmessage = ({ data }) => this.#heard(run, data);
    socket.onclose = ({ code, reason }) => this.#broken(run, code, delayIn(reason));
  }

  #heard(run, text) {
    if (run !== this.#run) return;
    const { event: name, data } = JSON.parse(text);
    if (this.state !== "online") {
      if (name === "auth_success") this.#welcome();
      else if (name === "error") {
        this.#broken(run, AUTH_REFUSALS.has(data.code) ? NOT_AUTHENTICATED : 0);
      }
    }
    this.dispatchEvent(new CustomEvent("event", { detail: { name, data } }));
  }

  #welcome() {
    clearTimeout(this.#timer);
    this.#attempts = 0;
    this.#renewals = 0;
    this.#become("online");
  }

  /** The connection of this run is over. */
  #broken(run, code, told = 0) {
    if (run !== this.#run) return;
    this.#stop();
    if (code < NOT_AS_YOU_ARE) {
      this.#again(code, told);
      return;
    }
    // A token that has run out is worth one more try with the next one.
    const renewable = code === NOT_AUTHENTICATED || code === TOKEN_EXPIRED;
    if (renewable && this.#renewals === 0) {
      this.#renewals += 1;
      this.#again(code);
      return;
    }
    this.#become("refused", code);
  }

  /** Come back after a while: as told, or longer each time; and never all clients at once. */
  #again(code, told = 0) {
    if (!navigator.onLine) {
      this.#become("offline");
      return;
    }
    const ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempts);
    this.#attempts += 1;
    const delay = told + 100 + Math.random() * ceiling;
    this.#become("reconnecting", code);
    this.#timer = setTimeout(() => this.#open(), delay);
  }

  /** The network is back, or somebody looks: do not sit out a long delay. */
  #hurry() {
    if (this.state === "offline" || (this.state === "reconnecting" && this.#socket === null)) {
      this.#attempts = Math.min(this.#attempts, 1);
      this.#open();
    }
  }

  #lost() {
    if (this.state === "refused") return;
    this.#stop();
    this.#become("offline");
  }

  /** Drop whatever is under way; what is late from it counts no more. */
  #stop() {
    clearTimeout(this.#timer);
    if (this.#socket) this.#socket.close(1000);
    this.#socket = null;
    this.#run += 1;
    return this.#run;
  }

  #become(state, code = 0) {
    const changed = this.state !== state;
    this.state = state;
    if (changed) this.dispatchEvent(new CustomEvent("state", { detail: { state, code } }));
  }
}

/** The milliseconds that the reason of a close frame asks to wait; 0 when it asks for none. */
function delayIn(reason) {
  return Number(/^retry=(\d{1,8})$/.exec(reason)?.[1] ?? 0);
}
