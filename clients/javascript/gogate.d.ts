/** A command that was refused, or that was given up. */
export class GoGateError extends Error {
  /**
   * One of the gateway's error codes, such as `SEND_FAILED` or `OUTCOME_UNKNOWN`; or `TIMEOUT`
   * (no answer within `patience`: it may have happened), `QUEUE_FULL`, `CLOSED`.
   */
  readonly code: string;
}

export interface GoGateOptions {
  /** Where the gateway is: `wss://chat.example.org/ws`. */
  url: string;
  /**
   * Returns a token that is good now. Called for every connection, and before a token ends.
   * Null where an httpOnly cookie is the token (`AUTH_COOKIE`): then this is the place to have the
   * cookie renewed. Without it there is always a cookie.
   */
  token?: () => Promise<string | null>;
  /**
   * Loads from the backend whatever is shown: called after the first connection, and whenever
   * what was missed cannot be told any more. Events go on meanwhile: what is in both is the same
   * message twice, to be told by its id. When it fails, the client reconnects and calls it again.
   */
  reload?: () => Promise<void>;
  /** Milliseconds a command may wait for its answer, breaks included. Default: 60,000. */
  patience?: number;
  /** Ids of chats to be told about who is online, where the gateway has PRESENCE on. */
  presence?: number[];
  /** The WebSocket class; the platform's own unless given. Node 20: the one of the package ws. */
  WebSocket?: unknown;
}

/**
 * closed        not begun, or closed by us
 * connecting    the first time
 * online        authenticated
 * reconnecting  after a break
 * refused       the gateway does not want us as we are; connect() tries again
 */
export type GoGateState = "closed" | "connecting" | "online" | "reconnecting" | "refused";

export interface GoGateStateEvent extends Event {
  /** `code`: the close code behind it, 0 if there was none. `delay`: milliseconds to the next try. */
  readonly detail: { state: GoGateState; code: number; delay: number };
}

export interface GoGateMessageEvent extends Event {
  /** An event of the gateway: `new_message`, `user_typing`, … Ignore names you do not know. */
  readonly detail: { name: string; data: any };
}

export class GoGate extends EventTarget {
  constructor(options: GoGateOptions);
  readonly state: GoGateState;
  /** Connect, and stay connected until `close` or a refusal. */
  connect(): void;
  /** Leave for good; commands that wait are given up. */
  close(): void;
  /**
   * Have a command done once: now, or when we are online again. Resolves with the data of its
   * `ack`; rejects with a GoGateError.
   */
  command(
    event: "send_message" | "add_reaction" | "mark_read",
    data: object,
  ): Promise<{ message_id?: number; chat_id?: number }>;
  /** Say what may get lost; false when we are not online. */
  tell(event: "typing", data: object): boolean;

  addEventListener(type: "state", listener: (event: GoGateStateEvent) => void): void;
  addEventListener(type: "event", listener: (event: GoGateMessageEvent) => void): void;
}
