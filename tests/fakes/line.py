"""A line between two processes that can be cut and mended.

Usage::

    line = await nursery.start(lambda task_status: Line(behind=port).run(task_status))
    connect_to(line.port)
    line.cut()
    line.is_cut = False
"""

from __future__ import annotations

import attrs
import trio


@attrs.define(eq=False)
class Line:
    """A line to a server on this machine."""

    port: int = 0
    behind: int = 0
    is_cut: bool = False
    _scopes: set = attrs.field(factory=set)

    async def run(self, task_status):
        """Carry bytes both ways."""
        async with trio.open_nursery() as carrying:
            listeners = await carrying.start(trio.serve_tcp, self._carry, 0)
            self.port = listeners[0].socket.getsockname()[1]
            task_status.started(self)

    async def _carry(self, client):
        if self.is_cut:
            return
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                server = await trio.open_tcp_stream("127.0.0.1", self.behind)
            except OSError:
                return
            async with server, trio.open_nursery() as both:
                for source, sink in ((client, server), (server, client)):
                    both.start_soon(_pour, source, sink, both.cancel_scope)
        self._scopes.discard(scope)

    def cut(self):
        """End what is under way, and let nobody through."""
        self.is_cut = True
        for scope in self._scopes:
            scope.cancel()


async def _pour(source, sink, scope):
    try:
        async for data in source:
            await sink.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    scope.cancel()
