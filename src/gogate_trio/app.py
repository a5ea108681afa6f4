"""The composition root: opens everything, owns the supervisor nursery, signals and drain.

Nurseries are nested by lifetime: the supervisor's services outside, connections inside,
listening innermost. Closing goes the other way: stop accepting, stop reading, finish calls
in flight, say goodbye, and only then let go of the backend.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial

import attrs
import trio

from gogate_trio import log
from gogate_trio.assembly import Node, assemble
from gogate_trio.backend.rest import RestBackend, open_backend
from gogate_trio.broker.opening import open_link_if_any
from gogate_trio.config import Settings
from gogate_trio.internal.opening import open_internal
from gogate_trio.metrics import Metrics
from gogate_trio.outbox import Outbox
from gogate_trio.poller import open_poller
from gogate_trio.reload import Reloader
from gogate_trio.server.drain import drain
from gogate_trio.server.heartbeat import sweep
from gogate_trio.server.listener import Server
from gogate_trio.server.pages import PAGES, Page
from gogate_trio.server.sockets import Listener, open_listeners
from gogate_trio.server.tls import ON_REQUEST, Tls
from gogate_trio.state.directory import Directory
from gogate_trio.succession import Succession
from gogate_trio.systemd import Service
from gogate_trio.tracing.opening import open_tracing

_log = log.get_logger(__name__)

Reload = Callable[[], Awaitable[None]]
"""Reads something of the operator's again; keeps what there was when that is no good."""

Reread = Callable[[], Settings]
"""Reads all settings again. May block; raises ``ConfigError``."""


@attrs.frozen
class Serving:
    """What a started node tells its caller."""

    port: int
    """The port it listens on."""
    metrics: Metrics
    internal_port: int | None = None
    """The port of /metrics and /ready; None when it is off."""


async def serve(
    settings: Settings,
    *,
    pages: Mapping[str, Page] | None = None,
    service: Service | None = None,
    reread: Reread | None = None,
    task_status: trio.TaskStatus[Serving] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a node until SIGTERM or SIGINT, drain it, and return; SIGHUP reloads.

    A second signal ends it at once. ``pages`` are served beside the gateway's own; ``service``
    is told how the node is, and its sockets are listened on in place of one of our own.
    ``reread`` reads the settings again; it may block, and raises ``ConfigError``.
    ``started`` means that clients are welcome now. Raises ``OperatorError`` when the port
    or the certificate cannot be had.
    """
    service = service or Service()
    stop = trio.Event()
    reloads: list[Reload] = []
    # The receiver outside: its reader must be gone before it closes, also when we fail.
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as received:
        async with trio.open_nursery() as signals:
            reload = partial(_reload_all, reloads, service)
            signals.start_soon(partial(_obey_signals, received, stop, signals, reload=reload))
            await run_node(
                settings,
                stop,
                pages=pages,
                reloads=reloads,
                reread=reread,
                service=service,
                task_status=task_status,
            )
            signals.cancel_scope.cancel()


async def _obey_signals(
    received: AsyncIterator[int], stop: trio.Event, signals: trio.Nursery, *, reload: Reload
) -> None:
    is_second = False
    async for number in received:
        name = signal.Signals(number).name
        if number == signal.SIGHUP:
            signals.start_soon(reload)
            continue
        if is_second:
            _log.warning("stopping_at_once", signal=name)
            signals.cancel_scope.cancel()
            return
        # The node may drain already, because it was asked to: that was no signal.
        is_second = True
        _log.info("draining", signal=name)
        stop.set()


async def _reload_all(reloads: Sequence[Reload], service: Service) -> None:
    _log.info("reloading", parts=len(reloads))
    async with service.reload(), trio.open_nursery() as reloading:
        for reload in reloads:
            reloading.start_soon(_reload, reload)


async def _reload(reload: Reload) -> None:
    try:
        await reload()
    except Exception:  # noqa: BLE001 - the fence: nothing that is reloaded is worth the node
        _log.exception("reload_failed")


async def run_node(  # noqa: PLR0913  # keyword-only, and most have a default
    settings: Settings,
    stop: trio.Event,
    *,
    pages: Mapping[str, Page] | None = None,
    reloads: list[Reload] | None = None,
    reread: Reread | None = None,
    service: Service | None = None,
    task_status: trio.TaskStatus[Serving] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a node until ``stop`` is set, then drain it and return. Cancelled, it cuts everyone.

    What it can reload it appends to ``reloads``, for its caller to call.
    """
    service = service or Service()
    metrics = Metrics()
    tls = Tls(settings.tls) if settings.tls.cert else None
    async with (
        open_tracing(settings.tracing, settings.cluster.name, metrics) as tracer,
        open_poller() as poller,
        open_listeners(
            settings.listen, poller, [each.socket for each in service.inherited]
        ) as listeners,
        open_backend(settings.backend, metrics.observe_call) as backend,
        open_link_if_any(settings.cluster, metrics.redis) as link,
        trio.open_nursery() as supervisor,
    ):
        node = assemble(settings, backend, supervisor, metrics, tracer, link)
        house = node.house
        if node.succession is not None:
            await node.succession.inherit()
        internal = await open_internal(
            settings, node, supervisor, stop=stop, inherited=service.internal
        )
        supervisor.start_soon(node.keeper.run)
        if tls is not None:
            supervisor.start_soon(tls.watch)
        supervisor.start_soon(_end_calls_with_us, backend)
        supervisor.start_soon(node.hub.run)
        await supervisor.start(node.broker.run)
        if node.company is not None:
            supervisor.start_soon(node.company.run)
        supervisor.start_soon(log.run)
        supervisor.start_soon(node.presence.run)
        supervisor.start_soon(sweep, node.house.connections, lambda: house.settings.websocket)
        supervisor.start_soon(service.run, partial(_numbers, metrics, house.directory))
        is_told = False
        async with trio.open_nursery() as connections:
            server = Server(house, {**PAGES, **(pages or {})}, tls)
            if reloads is not None:
                reloads += _reloads(tls, Reloader(node, server, backend, internal.keys), reread)
            async with trio.open_nursery() as listening:
                await listening.start(_listen, listeners, server, connections)
                _settle_memory()
                _log.info(
                    "serving",
                    port=listeners[0].port,
                    sockets=[each.name for each in service.inherited],
                )
                await service.ready()
                task_status.started(Serving(listeners[0].port, metrics, internal.port))
                await internal.serve_until(stop)
                await _last_call(listeners)
                listening.cancel_scope.cancel()
            server.shut()
            patience = house.settings.drain.timeout
            await service.stopping(patience)
            connections.cancel_scope.deadline = trio.current_time() + patience
            is_told = await drain(house, node.broker, node.hub)
        if connections.cancel_scope.cancelled_caught:
            _log.warning("drain_timed_out")
        if node.company is not None:
            # When the drain ran out of time nobody knows what was not told.
            await node.company.leave(owes=not (is_told and node.owes_nobody))
        supervisor.cancel_scope.cancel()
    if node.succession is not None:
        await _leave(node, node.succession, is_told=is_told)
    _log.info("stopped")


async def _leave(node: Node, succession: Succession, *, is_told: bool) -> None:
    """Leave the window to the next process: only now can nothing happen any more."""
    if is_told and node.is_settled:
        await succession.leave()
    else:
        succession.leave_nothing()


def _reloads(tls: Tls | None, reloader: Reloader, reread: Reread | None) -> Iterator[Reload]:
    """Yield what there is to be read again."""
    if tls is not None:
        yield partial(tls.reload, ON_REQUEST)
    if reread is not None:
        yield partial(reloader.reload, reread)


async def _end_calls_with_us(backend: RestBackend) -> None:
    """A call is shielded from whoever asked for it; this ends it when the node itself ends."""
    try:
        await trio.sleep_forever()
    finally:
        backend.abandon()


def _numbers(metrics: Metrics, directory: Directory[Outbox]) -> str:
    """Return the node in a line, for whoever looks at its state."""
    return f"connections: {metrics.connections}, users: {len(directory)}"


async def _listen(
    listeners: list[Listener],
    server: Server,
    connections: trio.Nursery,
    *,
    task_status: trio.TaskStatus[list[Listener]] = trio.TASK_STATUS_IGNORED,
) -> None:
    await trio.serve_listeners(
        server.welcome, listeners, handler_nursery=connections, task_status=task_status
    )


async def _last_call(listeners: list[Listener]) -> None:
    async with trio.open_nursery() as calling:
        for listener in listeners:
            calling.start_soon(listener.last_call)


def _settle_memory() -> None:
    """Keep the collector off what lives for ever, and from running all the time.

    With thousands of tasks alive, the default thresholds add up to 30 µs to a delivery.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
