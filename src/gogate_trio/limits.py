"""Every number that bounds something and is no setting: its unit, its reason, its precedent.

What an operator can change lives in ``config``; each of those defaults has its reason there.
"""

from typing import Final

# ── what a client may say ────────────────────────────────────────────────────

TOKEN_BYTES: Final = 8192
"""bytes. A JWT of the customer's backend is under 1 KiB; nginx and Go stop heads at 8 KiB too."""

EMOJI_CHARACTERS: Final = 20
"""characters. The contract's bound: a family emoji with skin tones takes up to 11."""

READ_BATCH: Final = 100
"""message ids in one ``mark_read``. The contract's bound."""

ATTACHMENTS: Final = 100
"""attachment ids in one ``send_message``. As many as a read batch; the backend may allow fewer."""

FRAGMENTS: Final = 256
"""frames in one message. Empty continuation frames cost CPU and never reach the size limit;
two million took nine seconds. No client library fragments a chat message at all."""

FAST_MESSAGE_BYTES: Final = 16384
"""bytes. A text message up to this size is held until it is whole and read in our own fast
lane; a longer one passes on to trio-websocket as it arrives."""

# ── what the HTTP head may be ────────────────────────────────────────────────

HEAD_BYTES: Final = 16384
"""bytes of request line and headers. Twice nginx's default buffer, what h11 itself stops at."""

HEADERS: Final = 100
"""header lines. Apache's default (LimitRequestFields); a browser sends about 20."""

HANDSHAKE_SECONDS: Final = 10.0
"""seconds from accept to the end of the upgrade. Go's common ReadHeaderTimeout."""

BACKLOG: Final = 4096
"""connections the kernel keeps until we accept them: Linux's own default ceiling (somaxconn)."""

# ── TLS ──────────────────────────────────────────────────────────────────────

TLS_LOOK_SECONDS: Final = 5.0
"""seconds between two looks at the certificate's files. Two looks must agree before a change
is believed, so a new certificate serves after five to ten seconds, or at once on SIGHUP."""

TLS_RENEWAL_SECONDS: Final = 86_400.0
"""seconds after which the context, and with it the key of session tickets, is made anew even
if the files are the same: whoever steals one decrypts a day of old TLS 1.2 clients. As in Go."""

TLS_EXPIRY_SECONDS: Final = 14 * 86_400.0
"""seconds before its end from which a certificate is warned of: common tools renew 30 days
before, so two weeks of trying have failed by then."""

# ── what waits for a client ──────────────────────────────────────────────────

OUTBOX_FRAMES: Final = 256
"""frames queued for one connection. The Go program's figure."""

OUTBOX_BYTES: Final = 1024 * 1024
"""bytes queued for one connection. 256 frames of a long chat message (4 KiB) fit."""

SEND_BUFFER_BYTES: Final = 262144
"""bytes the kernel may hold for one connection (SO_SNDBUF; Linux doubles it for bookkeeping).
Bounds what a stuck client costs; a healthy one never has more than a few frames there."""

WRITE_PIECE_BYTES: Final = 16384
"""bytes between two signs of progress to a slow client: one TLS record. With the default
WRITE_WAIT of 10 s a client must take 1.6 kB/s."""

LAST_CALL_SECONDS: Final = 0.2
"""seconds in which who is connecting to a port that others serve, too, may finish when we stop
listening there: a round trip to anywhere but the far side of a satellite."""

LAST_QUEUE_SECONDS: Final = 1.0
"""seconds that accepting those in the queue may take then. It takes about 0.1 for all 4096."""

LAST_HEAD_SECONDS: Final = 0.25
"""seconds that a client which has connected just before the stop has left to ask for its WebSocket:
it is told when to come back. Who takes longer gets a 503."""

LINGER_SECONDS: Final = 2.0
"""seconds a closing connection waits for the peer's close frame and end of stream."""

LINGER_BYTES: Final = 16 * 1024 * 1024
"""bytes read and thrown away in that time, so that the peer sees our close frame and no RST:
the rest of a file that somebody took for a message. It takes about 5 ms."""

# ── what waits for the backend ───────────────────────────────────────────────

PENDING_COMMANDS: Final = 64
"""commands of one connection that wait for the backend. More is answered ``BUSY``."""

PENDING_TYPING: Final = 16
"""chats of one connection whose typing event waits for a member look-up."""

ANSWER_BYTES: Final = 1024 * 1024
"""bytes of the body of one backend answer. 10,000 members with names fit."""

ANSWER_PIECES: Final = 20_000
"""chunks of one backend answer, and hints before it. 10,000 members fit, each and its comma sent by
itself. A piece costs 15 µs whatever its size: of one byte each, 1 MiB took 15 s."""

AUDIENCE_RETRY_SECONDS: Final = (0.2, 1.0, 3.0)
"""seconds between attempts to learn the members of a chat after a message was stored, when no
list is kept either. Meanwhile only that sender's further commands wait."""

AWAY_SECONDS: Final = (2.0, 10.0)
"""seconds after which a client that could not be authenticated, because the backend was away,
is asked to come back: drawn between these, so that not all come at once."""

LATE_PUBLICATIONS: Final = 1_000
"""stored messages that wait for their chat's members to become known."""

LATE_RETRY_SECONDS: Final = 5.0
"""seconds between two tries for one of these."""

LATE_SECONDS: Final = 300.0
"""seconds after which such a message is given up and the stream said to have a gap."""

GAP_SECONDS: Final = 5.0
"""seconds in which losses are gathered into one gap: every resuming client fetches anew for it."""

REPLAY_ENTRIES: Final = 256
"""events of the history looked through between two checkpoints of a replay: about 0.1 ms."""

ERROR_TEXT_CHARACTERS: Final = 200
"""characters of the backend's own error text that may reach a client."""

# ── when the backend is away ─────────────────────────────────────────────────

BREAKER_WINDOW_SECONDS: Final = 10.0
"""seconds over which the ends of calls are counted: as long as one call may take by default,
so that calls that hang are seen together."""

BREAKER_CALLS: Final = 10
"""calls within the window below which their ends prove nothing: three users with bad luck."""

BREAKER_FAILED_SHARE: Final = 0.8
"""share of failed calls from which the backend counts as away. One broken endpoint of five, or
one dead worker of four, stays below it: what still works goes on."""

BREAKER_PAUSE_SECONDS: Final = 1.0
"""seconds of the first pause: a backend that restarts is asked again soon. Every failed probe
doubles it."""

BREAKER_LONGEST_PAUSE_SECONDS: Final = 30.0
"""seconds of the longest pause: as long may a backend be back before we notice."""

BREAKER_PROBES: Final = 3
"""questions asked at once of a backend that may be back: one could meet the one dead worker."""

BREAKER_QUESTIONS_FIRST_SECONDS: Final = 1.0
"""seconds for which only calls that change nothing probe, before one of the others may."""

# ── what is remembered ───────────────────────────────────────────────────────

MEMBERSHIP_CHATS: Final = 10_000
"""chats whose member lists are kept; the least recently used goes first."""

KNOWN_MESSAGES: Final = 100_000
"""messages whose chat is remembered (about 10 MB); the oldest goes first."""

RATE_KEYS: Final = 100_000
"""users or addresses whose pace is remembered, for each rate (about 10 MB)."""

SESSIONS: Final = 100_000
"""sessions of one node that are remembered; the one longest without a connection goes first."""

RECENT_TOKENS: Final = 100_000
"""tokens whose user is remembered for clients that resume: one a session."""

OUTCOMES: Final = 256
"""commands of one session whose outcome is remembered, beside those under way."""

OUTCOME_SECONDS: Final = 300.0
"""seconds for which a repeated command id gets its first outcome again."""

COMMAND_ID_CHARACTERS: Final = 64
"""characters of a command's id. A UUID has 36."""

HISTORY_BYTES: Final = 64 * 1024 * 1024
"""bytes of event texts, and of audiences that are no chat's, in the resume window of a node.
10,000 events of 6 KiB fit."""

# ── the internal API ─────────────────────────────────────────────────────────

API_BODY_BYTES: Final = 524_288
"""bytes of one request's body: half of what may wait for a connection, so that an event that is
published never fills an outbox by itself."""

API_USERS: Final = 1_000
"""users one publication may name. A chat is not named by its members but by its id."""

OVERVIEW_CONNECTIONS: Final = 20
"""connections that an overview shows of each kind: a screen full."""

RECENT_ENDS: Final = 50
"""ends of connections that are remembered to be shown: two screens full."""

API_AT_ONCE: Final = 64
"""requests that passed the key and are being worked on at once: as many as calls to the backend
may be under way by default. More are answered ``BUSY``."""

API_SECONDS: Final = 15.0
"""seconds one of them may take: a look-up at the backend of 10 s fits in."""

API_PAGE: Final = 1_000
"""connections in one answer."""

IDEMPOTENCY_KEY_CHARACTERS: Final = 128
"""characters of an ``Idempotency-Key``. A UUID has 36."""

# ── the end of a node ────────────────────────────────────────────────────────

DRAIN_PER_SECOND: Final = 500.0
"""clients a second that are hung up on where no setting says otherwise: a node lets ten times as
many in, but each of them then asks the backend something."""

DRAIN_SPREAD_SECONDS: Final = 10.0
"""seconds that this takes at most: a restart that lasts longer is one that people notice."""

RECONNECT_SECONDS: Final = (0.5, 2.0)
"""seconds after which a client is asked to come back at the earliest, drawn between these: as long
takes a process to start. On a node without others the whole spread comes on top."""

STATE_BYTES: Final = 192 * 1024 * 1024
"""bytes of what a node leaves to its successor: three times the window's texts, for the
audiences and the sessions. More is not written."""

STATE_SECONDS: Final = 3.0
"""seconds that this may take to be written or read: systemd is asked for five beyond the drain."""

# ── who is online ────────────────────────────────────────────────────────────

PRESENCE_CHATS: Final = 100
"""chats whose presence one connection may ask for: more than a chat list shows."""

PRESENCE_GRACE_SECONDS: Final = 15.0
"""seconds for which somebody who left still counts as online: a tunnel, a restart of the gateway,
a phone that changes networks. Clients that come back do so well within it."""

PRESENCE_TICK_SECONDS: Final = 1.0
"""seconds in which all changes of a chat are gathered into one event."""

PRESENCE_LOOK_SECONDS: Final = 5.0
"""seconds between two looks at where everybody is: so long may a lost word about it stay
unnoticed."""

PRESENCE_LIST_SECONDS: Final = 60.0
"""seconds after which the members of a chat somebody looks at are asked for again, where nothing
else has asked meanwhile: so long may somebody who left the chat still see who is online."""

PRESENCE_WATCHED: Final = 5_000
"""chats of one node that somebody looks at. Asking for one more is answered ``BUSY``."""

PRESENCE_LEAVERS: Final = 100_000
"""users who left one node within the grace that are remembered; who left first goes first."""

# ── several nodes ────────────────────────────────────────────────────────────

NODE_BEAT_SECONDS: Final = 1.0
"""seconds between two signs of life of a node; as often it hears whom it has to hang up on and who
has moved. One script of Redis, about 50 µs."""

NODE_LEASE_SECONDS: Final = 10.0
"""seconds for which a sign of life counts: a node that was killed is gone after that. Ten beats, so
that neither a stall nor a Redis that changes its master costs a node its place."""

RESYNC_SECONDS: Final = 5.0
"""seconds over which clients that are all told to load their chats are asked to spread that: ten
thousand on a node are 2,000 loads a second for the backend, in place of all at once."""

LOST_NODE_SECONDS: Final = 60
"""seconds between two notices that nodes are lost: each has every client that resumes load all of
its chats. A node that crashes over and over costs them that once a minute."""

CLUSTER_WAIT_SECONDS: Final = 0.25
"""seconds a command or an ``auth`` waits to hear from the other nodes; then the word of this node
counts. A hundred round trips."""

CLUSTER_WAITING: Final = 10_000
"""commands of one node that wait for that at once; who comes then goes by this node's word."""

# ── flooding ─────────────────────────────────────────────────────────────────

STRIKES_PER_SECOND: Final = 5.0
"""refusals a second that one connection may earn for ever without being hung up."""

STRIKES: Final = 100
"""refusals it may earn at once: a client with a bug in a loop shows it in seconds."""

EXCESS_TYPING_PER_SECOND: Final = 50.0
"""typing events a second that one connection may send for ever beyond what is passed on: a key
that is held down repeats 30 times a second."""

EXCESS_TYPING: Final = 500
"""such events it may send at once. They are merged and refuse nothing, but they must be read."""

REFUSALS_AT_ONCE: Final = 128
"""sockets that are being told "503" at one time: half of the file descriptors kept in reserve.
Beyond it they are closed without a word."""

MOST_CONNECTIONS: Final = 1_000_000
"""connections of one node where neither a setting nor the limit on open files says less."""

CONNECTIONS_PER_ADDRESS: Final = 512
"""connections of one address where no setting says otherwise: an office behind one router."""

RESERVED_SHARE: Final = 0.5
"""the share of all connections that may be without a user: strangers never crowd out more."""

RESERVED_FILES: Final = 256
"""file descriptors kept back from connections: for the backend, logs, and telling people no."""

# ── the life of a token ──────────────────────────────────────────────────────

EARLY_COMMANDS: Final = 10
"""commands before ``auth`` that are answered; the last one ends the connection. A client that
starts too early shows it with the first; the guide's client sends ``auth`` first."""

TOKEN_NOTICE_SECONDS: Final = 60.0
"""seconds before a token's end at which a client that asked for notices is told: time for a
fresh one even on a phone that is just waking up."""

RECHECK_JITTER: Final = 0.1
"""share by which TOKEN_RECHECK is shortened or lengthened each time, so that the clients that
came back together after a restart do not ask together for ever."""

FORCED_RECHECK_SECONDS: Final = 5.0
"""seconds between two questions about one token, however often its calls are refused."""

OUTAGE_RECHECK_SECONDS: Final = 30.0
"""seconds for which a token that has ended is extended when the backend cannot be asked."""

# ── the fan-out ──────────────────────────────────────────────────────────────

HUB_INBOX: Final = 1024
"""publications that wait for the hub. A full inbox makes publishers wait, not clients."""

PENDING_WRITES: Final = 64
"""writes put off to the end of a turn: what comes then is written with them at once, 0.5 ms."""

SENDS_PER_TURN: Final = 256
"""deliveries between two checkpoints of the hub: about 1.3 ms in which nobody else runs."""

JOINED_BYTES: Final = 65536
"""bytes of consecutive events of one audience that are handed to a connection in one write."""

JOINED_FRAMES: Final = 64
"""events in such a write: a quarter of an outbox, so that a burst alone never fills one."""

# ── publications ──────────────────────────────────────────────────────────────

ONCE_SECONDS: Final = 600.0
"""seconds for which a publication with a key is remembered, so that the same key publishes
nothing more: far longer than any client goes on retrying."""

ONCE_KEYS: Final = 100_000
"""such keys that one node remembers by itself; the oldest goes first."""

# ── Redis ────────────────────────────────────────────────────────────────────

REDIS_CALLS: Final = 8
"""calls to Redis at once, each on a connection of its own. Publications are joined into one
call at a time; the others are a few a second."""

REDIS_REPLY_BYTES: Final = 64 * 1024 * 1024
"""bytes of one reply of Redis. The largest we ask for is a part of the stream, a few MiB."""

REDIS_PAUSE_SECONDS: Final = 0.05
"""seconds before what failed is tried again; each failure doubles it."""

REDIS_LONGEST_PAUSE_SECONDS: Final = 1.0
"""seconds of the longest such pause: with it, a node is back well within 5 s of Redis."""

SENTINEL_SECONDS: Final = 1.0
"""seconds between two looks at who is the master by the sentinels' word. What is written to the
old one meanwhile is lost, and noticed; a sentinel itself asks its servers once a second."""

REDIS_BLOCK_SECONDS: Final = 1.0
"""seconds a read of the stream waits for something new; then it is looked whether it still is
the same stream."""

REDIS_START_SECONDS: Final = 5.0
"""seconds for which a starting node waits for Redis; then it serves its own clients alone."""

READ_ENTRIES: Final = 200
"""entries of the stream read at once. Beyond a hundred each costs no less."""

BATCH_PUBLICATIONS: Final = 100
"""publications joined into one call to Redis: about 1 ms of its time."""

BATCH_BYTES: Final = 1024 * 1024
"""bytes of such a call, or one publication."""

BACKLOG_PUBLICATIONS: Final = 10_000
"""publications that a node without Redis keeps for the others: as many as a client may miss."""

BACKLOG_BYTES: Final = 32 * 1024 * 1024
"""bytes of these."""

STREAM_LEAST: Final = 1_000
"""publications the stream keeps where RESUME_EVENTS is less: what a slow node may be behind."""

STREAM_BYTES: Final = 256 * 1024 * 1024
"""bytes of publications that the stream keeps in Redis: 10,000 of 25 KiB."""

ENTRY_BYTES: Final = 16 * 1024 * 1024
"""bytes of one publication of another node; ours are about as long as the backend's answers."""

AUDIENCE_USERS: Final = 1_000_000
"""users of one audience."""

KEPT_AUDIENCES: Final = 4096
"""audiences whose packed form is remembered, and as many the other way round."""

KEPT_AUDIENCE_BYTES: Final = 2 * 1024 * 1024
"""bytes of these, packed, each way: some two million users, who take about 70 bytes each unpacked
and 130 with their names."""

KNOWN_NODES: Final = 1_000
"""lives of nodes whose last publication is remembered; the one longest silent goes first."""

KNOWN_EPOCHS: Final = 1_000
"""epochs of the stream that are remembered when they are over, the latest: a failover that brings
one back is noticed. Lost nodes begin one a minute at most."""

EPHEMERAL_WAITING: Final = 1_000
"""typing events that wait to be told to the other nodes."""

BEAT_SECONDS: Final = 5.0
"""seconds after which a node that has nothing to say says that it is there."""

SILENCE_SECONDS: Final = 15.0
"""seconds without a word, three beats, after which the way to the others is taken for broken."""

# ── traces ───────────────────────────────────────────────────────────────────

TRACE_SPANS: Final = 2048
"""spans that wait for the collector (about 4 MB), OpenTelemetry's own default; more are dropped."""

TRACE_BATCH: Final = 512
"""spans in one request to the collector, and how many make it be sent at once."""

TRACE_FLUSH_SECONDS: Final = 3.0
"""seconds that the last spans may take at the end; a collector that hangs delays no restart."""

# ── the log ──────────────────────────────────────────────────────────────────

LOG_LINES_PER_SECOND: Final = 1.0
"""log lines a second of one kind, in the long run; the rest is summed up."""

LOG_LINES: Final = 20
"""such lines at once: enough to see who it is."""

LOG_DEBUG_LINES_PER_SECOND: Final = 100.0
"""lines a second of one kind of level debug: who asks for them wants to see much."""

LOG_DEBUG_LINES: Final = 1000
"""such lines at once."""

LOG_SUMMARY_SECONDS: Final = 10.0
"""seconds after which the lines of a kind that were held back are summed up in one."""

LOG_KINDS: Final = 512
"""kinds of lines that are told apart. Ours are about 60; libraries bring theirs."""

LOG_WRITE_SECONDS: Final = 0.2
"""seconds that a line waits for a reader of standard error that has stopped reading; then it is
lost, and those behind it are lost at once until there is room again."""

LOG_PATIENCE_SECONDS: Final = 10.0
"""seconds in which all such waits together take no longer than one: a slow reader costs a fiftieth
of the time at most."""

JOURNAL_BYTES: Final = 128 * 1024
"""bytes of one entry in systemd's journal. The kernel takes datagrams up to 208 KiB unasked."""
