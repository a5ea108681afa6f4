"""A line between two processes that can be cut and mended, fall silent, or be slow.

Usage::

    line = await nursery.start(lambda task_status: Line(behind=port).run(task_status))
    connect_to(line.port)
    line.cut()
    line.is_cut = False
    line.silence()  # what is open hangs for ever; what is opened from now on does not
    line.seconds_per_part = 0.02  # what comes from behind: 16 KiB each
"""

from __future__ import annotations

import attrs
import trio

_PART = 16 * 1024
"""bytes that pass at once"""


@attrs.define(eq=False)
class Line:
    """A line to a server on this machine."""

    port: int = 0
    behind: int = 0
    is_cut: bool = False
    seconds_per_part: float = 0.0
    opened: int = 0
    """How many connections there were."""
    _scopes: set = attrs.field(factory=set)
    _silence: trio.Event = attrs.field(factory=trio.Event)

    async def run(self, task_status):
        """Carry bytes both ways."""
        async with trio.open_nursery() as carrying:
            listeners = await carrying.start(trio.serve_tcp, self._carry, 0)
            self.port = listeners[0].socket.getsockname()[1]
            task_status.started(self)

    async def _carry(self, client):
        if self.is_cut:
            return
        self.opened += 1
        silence = self._silence
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                server = await trio.open_tcp_stream("127.0.0.1", self.behind)
            except OSError:
                return
            async with server, trio.open_nursery() as both:
                both.start_soon(_pour, client, server, both.cancel_scope, silence)
                both.start_soon(_pour, server, client, both.cancel_scope, silence, self)
        self._scopes.discard(scope)

    def cut(self):
        """End what is under way, and let nobody through."""
        self.is_cut = True
        for scope in self._scopes:
            scope.cancel()

    def silence(self):
        """Let nothing pass over what is open now any more, not even its end."""
        self._silence.set()
        self._silence = trio.Event()


async def _pour(source, sink, scope, silence, paced=None):
    try:
        while data := await source.receive_some(_PART):
            if paced and paced.seconds_per_part:
                await trio.sleep(paced.seconds_per_part)
            if silence.is_set():
                break
            await sink.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    if silence.is_set():
        await trio.sleep_forever()
    scope.cancel()
