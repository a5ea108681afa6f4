"""What each number is called outside, what it means, and where it is read.

Base units (seconds, bytes), ``_total`` behind what only ever grows. Labels take their values
from catalogues of ours, so their number is bounded; what can be named beforehand is there
from the start, with 0, so that a rate has something to begin from.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, get_args

import attrs

from gogate_trio import __version__
from gogate_trio.backend.exchange import Endpoint
from gogate_trio.backend.judging import Outcome
from gogate_trio.internal import redis_metrics
from gogate_trio.internal.api.operations import OPERATIONS
from gogate_trio.internal.dials import Reading
from gogate_trio.log.counts import COUNTS as LOGGED
from gogate_trio.metrics import WAIT_BOUNDS, Histogram
from gogate_trio.protocol import close, handshake, refusals
from gogate_trio.protocol.close import Hangup
from gogate_trio.protocol.handshake import Status
from gogate_trio.protocol.refusals import Refusal
from gogate_trio.state.admission import Full
from gogate_trio.state.breaker import Circuit
from gogate_trio.state.tokens import Answer

Kind = Literal["counter", "gauge", "histogram"]
Sample = tuple[tuple[str, ...], float | Histogram]
"""The values of the labels, and the number."""


@attrs.frozen
class Metric:
    """One metric of the exposition."""

    name: str
    kind: Kind
    help: str
    read: Callable[[Reading], Iterable[Sample]] = attrs.field(repr=False)
    labels: tuple[str, ...] = ()


def _one(kind: Kind, name: str, help: str, read: Callable[[Reading], float | Histogram]) -> Metric:  # noqa: A002 - its name everywhere
    """Return a metric without labels."""
    return Metric(name, kind, help, lambda reading: [((), read(reading))])


def _each(
    name: str,
    help: str,  # noqa: A002 - its name everywhere
    label: str,
    read: Callable[[Reading], Mapping[str, int]],
    known: Iterable[str],
) -> Metric:
    """Return a counter by one label; the values known beforehand are always there."""
    zeros = dict.fromkeys(known, 0)

    def samples(reading: Reading) -> list[Sample]:
        return [((value,), count) for value, count in {**zeros, **read(reading)}.items()]

    return Metric(name, "counter", help, samples, (label,))


# ── what can be named beforehand ─────────────────────────────────────────────

_COMMANDS: Final = ("auth", "send_message", "typing", "add_reaction", "mark_read")
_ENDPOINTS: Final = get_args(Endpoint)
_OUTCOMES: Final = get_args(Outcome)
_CODES: Final = (
    *(value.code for value in vars(refusals).values() if isinstance(value, Refusal)),
    refusals.BACKEND_UNAVAILABLE,
    refusals.OUTCOME_UNKNOWN,
)
_STATUSES: Final = sorted(
    {str(value.code) for value in vars(handshake).values() if isinstance(value, Status)}
)
_ENDS: Final = {
    end.reason: str(end.code)
    for end in (*vars(close).values(), close.backend_away(0.0), close.restart(0))
    if isinstance(end, Hangup)
} | {close.disconnected(0, "").reason: ""}
"""Reason of each end of a connection → its close code; 0 where none is sent, none where it is
the backend's own choice."""


# ── what takes more than a look ──────────────────────────────────────────────


def _connections(reading: Reading) -> list[Sample]:
    crowd = reading.crowd
    return [
        (("authenticated",), crowd.authenticated),
        (("unauthenticated",), crowd.unauthenticated),
        (("leaving",), crowd.leaving),
    ]


def _closes(reading: Reading) -> list[Sample]:
    closed = {**dict.fromkeys(_ENDS, 0), **reading.metrics.closed}
    return [((reason, _ENDS.get(reason, "")), count) for reason, count in closed.items()]


def _calls(reading: Reading) -> list[Sample]:
    every = [(endpoint, outcome) for endpoint in _ENDPOINTS for outcome in _OUTCOMES]
    return [(labels, reading.metrics.calls[labels]) for labels in every]


def _call_seconds(reading: Reading) -> list[Sample]:
    seconds = reading.metrics.call_seconds
    return [
        ((endpoint,), seconds.get(endpoint) or Histogram(WAIT_BOUNDS)) for endpoint in _ENDPOINTS
    ]


def _circuit(reading: Reading) -> list[Sample]:
    return [((state.value,), float(state is reading.gate.circuit)) for state in Circuit]


def _api(reading: Reading) -> list[Sample]:
    known = {(each.name, str(each.status)): 0 for each in OPERATIONS}
    return [(labels, count) for labels, count in {**known, **reading.metrics.api}.items()]


def _build(_reading: Reading) -> list[Sample]:
    return [((__version__, platform.python_version()), 1.0)]


# ── the catalogue ────────────────────────────────────────────────────────────

METRICS: Final[tuple[Metric, ...]] = (
    # Connections.
    Metric(
        "gogate_connections",
        "gauge",
        "WebSocket connections by state: authenticated, unauthenticated, leaving.",
        _connections,
        ("state",),
    ),
    _one("gauge", "gogate_sockets", "Sockets that are in, handshakes too.", lambda r: r.sockets),
    _one("counter", "gogate_accepted_total", "Sockets accepted.", lambda r: r.metrics.accepted),
    _each(
        "gogate_http_refusals_total",
        "HTTP requests, upgrades among them, that were refused.",
        "status",
        lambda r: {str(status): count for status, count in r.metrics.refused.items()},
        _STATUSES,
    ),
    _each(
        "gogate_turned_away_total",
        "Sockets that found a bound reached: total, unauthenticated, address, pace.",
        "bound",
        lambda r: r.metrics.turned_away,
        [full.value for full in Full],
    ),
    _one(
        "counter",
        "gogate_tls_failures_total",
        "Sockets with which no TLS handshake succeeded.",
        lambda r: r.metrics.tls_failed,
    ),
    Metric(
        "gogate_closes_total",
        "counter",
        "Connections ended, by reason and close code; 0: no close frame was sent.",
        _closes,
        ("reason", "code"),
    ),
    # Commands.
    _each(
        "gogate_commands_total",
        "Commands that were understood.",
        "command",
        lambda r: r.metrics.commands,
        _COMMANDS,
    ),
    _each(
        "gogate_errors_total",
        "Error events sent to clients. RATE_LIMITED and FLOOD are the rate limits, AUTH_FAILED"
        " and TOKEN_… failures of authentication.",
        "code",
        lambda r: r.metrics.errors,
        _CODES,
    ),
    _each(
        "gogate_token_rechecks_total",
        "Tokens in use that the backend was asked about again, by what it said.",
        "answer",
        lambda r: r.metrics.rechecks,
        [answer.value for answer in Answer],
    ),
    # Events.
    _one(
        "counter",
        "gogate_publications_total",
        "Events that went through the broker.",
        lambda r: r.metrics.publications,
    ),
    _one(
        "counter",
        "gogate_deliveries_total",
        "Events offered to connections.",
        lambda r: r.metrics.deliveries,
    ),
    _one(
        "counter",
        "gogate_shed_total",
        "Typing events not told to a connection that had fallen behind, or at all.",
        lambda r: r.metrics.shed + r.crowd.shed,
    ),
    _one(
        "histogram",
        "gogate_fan_out_seconds",
        "From the first offer of an event to the last; events joined into one write count once.",
        lambda r: r.metrics.fan_out,
    ),
    _one(
        "histogram",
        "gogate_command_to_delivery_seconds",
        "From reading a message, reaction or read mark to having offered it to everybody who is"
        " here, the backend's time included.",
        lambda r: r.metrics.told,
    ),
    _one(
        "gauge",
        "gogate_hub_waiting",
        "Publications accepted and not yet offered to everybody.",
        lambda r: r.hub_waiting,
    ),
    # Clients that fall behind.
    _one(
        "gauge",
        "gogate_outbox_behind",
        "Connections for which something waits.",
        lambda r: r.crowd.behind,
    ),
    _one("gauge", "gogate_outbox_frames", "Frames that wait.", lambda r: r.crowd.frames),
    _one("gauge", "gogate_outbox_bytes", "Bytes that wait.", lambda r: r.crowd.bytes),
    _one(
        "gauge",
        "gogate_outbox_frames_max",
        "Frames that wait for the connection that is furthest behind.",
        lambda r: r.crowd.most_frames,
    ),
    _each(
        "gogate_state_restores_total",
        "What an earlier process has left in STATE_DIR, by what came of it when this one started.",
        "outcome",
        lambda r: r.metrics.restores,
        (
            *("restored", "none", "damaged", "foreign", "format", "old", "slow", "too_big"),
            *("unreadable", "unsafe"),
        ),
    ),
    # Several nodes.
    _one(
        "gauge",
        "gogate_nodes",
        "Nodes that live, this one among them, by its last sign of life; 0 for one that is alone.",
        lambda r: r.metrics.nodes,
    ),
    _one(
        "counter",
        "gogate_nodes_lost_total",
        "Nodes that were gone without a goodbye, and of which this one told everybody.",
        lambda r: r.metrics.lost_nodes,
    ),
    _each(
        "gogate_cluster_fallbacks_total",
        "Questions that the other nodes, which is to say Redis, did not answer in time, by what"
        " about; this node then went by what it knew itself.",
        "kind",
        lambda r: r.metrics.fallbacks,
        ("connections", "rates", "presence"),
    ),
    # Who is online.
    _one(
        "counter",
        "gogate_presence_events_total",
        "Events about who is online that were offered to connections.",
        lambda r: r.metrics.presence_told,
    ),
    _one(
        "gauge",
        "gogate_presence_chats",
        "Chats that somebody on this node looks at.",
        lambda r: r.presence_chats,
    ),
    # Coming back.
    _each(
        "gogate_resumes_total",
        "Clients that asked for a session, by what came of it: new, recovered, resync.",
        "outcome",
        lambda r: r.metrics.resumes,
        ("new", "recovered", "resync"),
    ),
    _one(
        "counter",
        "gogate_replayed_total",
        "Events told again to clients that came back.",
        lambda r: r.metrics.replayed,
    ),
    _one(
        "gauge",
        "gogate_history_events",
        "Events kept for clients that come back.",
        lambda r: r.history_events,
    ),
    _one(
        "counter",
        "gogate_late_publications_total",
        "Stored events put aside because the backend did not say who is in the chat.",
        lambda r: r.metrics.late,
    ),
    _one(
        "gauge",
        "gogate_late_publications",
        "Those of them that still wait.",
        lambda r: r.late_waiting,
    ),
    _one(
        "counter",
        "gogate_lost_publications_total",
        "Those of them that were given up.",
        lambda r: r.metrics.lost_audiences,
    ),
    _one(
        "counter",
        "gogate_stream_gaps_total",
        "Times the stream began anew and every client with a session was told to fetch.",
        lambda r: r.metrics.gaps,
    ),
    # Redis and the other nodes.
    Metric(
        "gogate_broker_state",
        "gauge",
        "Whether this node follows the stream of all nodes: attached, healing, detached.",
        redis_metrics.states,
        ("state",),
    ),
    *(_one(kind, name, text, read) for kind, name, text, read in redis_metrics.ROWS),
    # The backend.
    Metric(
        "gogate_backend_calls_total",
        "counter",
        "Calls to the backend, by endpoint and how they ended.",
        _calls,
        ("endpoint", "outcome"),
    ),
    Metric(
        "gogate_backend_call_seconds",
        "histogram",
        "How long they took, waiting for their turn included.",
        _call_seconds,
        ("endpoint",),
    ),
    _one(
        "gauge",
        "gogate_backend_calls_running",
        "Calls under way.",
        lambda r: r.gate.running,
    ),
    _one(
        "gauge",
        "gogate_backend_calls_waiting",
        "Calls that wait for their turn.",
        lambda r: r.gate.waiting,
    ),
    _one(
        "counter",
        "gogate_backend_queue_full_total",
        "Calls refused because too many waited.",
        lambda r: r.gate.turned_away,
    ),
    Metric(
        "gogate_backend_circuit",
        "gauge",
        "1 for the state of the circuit breaker: closed, open, half_open.",
        _circuit,
        ("state",),
    ),
    _one(
        "counter",
        "gogate_backend_circuit_opened_total",
        "Times the backend was found to be away.",
        lambda r: r.gate.opened,
    ),
    _one(
        "counter",
        "gogate_backend_held_back_total",
        "Calls that did not go because it was away.",
        lambda r: r.gate.held_back,
    ),
    # Member lists.
    _one(
        "counter",
        "gogate_membership_hits_total",
        "Questions for the members of a chat that memory answered.",
        lambda r: r.membership.hits,
    ),
    _one(
        "counter",
        "gogate_membership_misses_total",
        "Those that had to wait for the backend.",
        lambda r: r.membership.misses,
    ),
    _one(
        "counter",
        "gogate_membership_lookups_total",
        "Look-ups begun; several questions share one.",
        lambda r: r.membership.lookups,
    ),
    _one(
        "counter",
        "gogate_membership_stale_total",
        "Look-ups that failed and were answered by the list known last.",
        lambda r: r.membership.stale_served,
    ),
    _one(
        "gauge",
        "gogate_membership_chats",
        "Member lists remembered.",
        lambda r: r.membership.size,
    ),
    # The internal API.
    Metric(
        "gogate_api_requests_total",
        "counter",
        "Requests to the internal API, by operation and status; other: none of them.",
        _api,
        ("operation", "status"),
    ),
    # The process.
    _one(
        "histogram",
        "gogate_loop_lag_seconds",
        "How late the event loop was, looked at ten times a second.",
        lambda r: r.metrics.lag,
    ),
    _one(
        "counter",
        "gogate_bugs_total",
        "Exceptions that should not be; each is in the log with its traceback.",
        lambda r: r.metrics.bugs,
    ),
    _one(
        "counter",
        "gogate_log_lines_held_back_total",
        "Log lines not written because there were too many of their kind; they are summed up.",
        lambda _: LOGGED.held_back,
    ),
    _one(
        "counter",
        "gogate_log_lines_lost_total",
        "Log lines that nobody took: standard error is gone, or the journal is full or away.",
        lambda _: LOGGED.lost,
    ),
    _each(
        "gogate_trace_spans_total",
        "Spans of traces: sent to the collector, failed on the way, dropped for want of room.",
        "outcome",
        lambda r: r.metrics.spans,
        ("sent", "failed", "dropped"),
    ),
    Metric(
        "gogate_build_info",
        "gauge",
        "1; the labels say what runs.",
        _build,
        ("version", "python"),
    ),
)

PROCESS: Final[tuple[tuple[str, Kind, str], ...]] = (
    ("process_cpu_seconds_total", "counter", "CPU time used, in user and system mode."),
    ("process_resident_memory_bytes", "gauge", "Memory in use."),
    ("process_virtual_memory_bytes", "gauge", "Memory addressed."),
    ("process_open_fds", "gauge", "Open files: one a connection, and some."),
    ("process_max_fds", "gauge", "How many there may be."),
    ("process_start_time_seconds", "gauge", "When the process began, in seconds since 1970."),
)
"""What prometheus-client tells of any process, under the names every dashboard knows."""
