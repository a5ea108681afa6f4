"""Whether this node can do its work: what a load balancer or an orchestrator asks.

Ready means that a client that comes now is let in and that the backend answers. ``/health``
only means that the process is alive.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

import attrs
import msgspec
import trio

from gogate_trio.errors import BackendError
from gogate_trio.ids import ChatId
from gogate_trio.log import get_logger
from gogate_trio.server.pages import Page
from gogate_trio.state.breaker import Circuit

if TYPE_CHECKING:
    from gogate_trio.backend.base import Members
    from gogate_trio.backend.gate import GateStatistics
    from gogate_trio.broker.base import BrokerStatistics

_log = get_logger(__name__)

_ANY_CHAT = ChatId(1)
"""Whether the backend has it does not matter: "no such chat" is an answer too."""


class Phase(Enum):
    """Where in its life a node is."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


@attrs.frozen(slots=False)
class Part:
    """How one part of a node is."""

    ready: bool
    state: str


class Guarded(Protocol):
    """A backend behind a circuit breaker."""

    def statistics(self) -> GateStatistics:
        """Return, among others, the state of the breaker."""

    async def members(self, chat_id: ChatId) -> Members:
        """Ask something that changes nothing."""


class Bounded(Protocol):
    """Where clients come in, so many and no more."""

    @property
    def most(self) -> int:
        """Sockets that may be in."""

    @property
    def total(self) -> int:
        """Sockets that are in."""


class Joined(Protocol):
    """A broker."""

    def statistics(self) -> BrokerStatistics | None:
        """Return how the way to the other nodes is; None where there are none."""


@attrs.define(eq=False)
class Readiness:
    """Knows whether one node is ready."""

    backend: Guarded
    supervisor: trio.Nursery
    """Where the backend is asked."""
    broker: Joined
    admission: Bounded
    phase: Phase = Phase.STARTING
    _is_asking: bool = False

    def parts(self) -> dict[str, Part]:
        """Return how each part is."""
        circuit = self.backend.statistics().circuit
        parts = {
            "node": self._node(),
            "backend": Part(circuit is Circuit.CLOSED, circuit.value),
        }
        broker = self.broker.statistics()
        if broker is not None:
            parts["redis"] = _part_of(broker)
        return parts

    def page(self) -> Page:
        """Return 200 or 503, and in the body which part is not ready.

        While the backend is away, each question also asks it once: a node that gets no
        clients because it is not ready would never learn that the backend is back. The
        circuit breaker says whether that call really goes.
        """
        parts = self.parts()
        if not parts["backend"].ready and not self._is_asking:
            self._is_asking = True
            self.supervisor.start_soon(self._ask)
        is_ready = all(part.ready for part in parts.values())
        body = msgspec.json.encode({"ready": is_ready, "parts": parts})
        if is_ready:
            return Page("application/json", body)
        return Page("application/json", body, code=503, phrase="Service Unavailable")

    def _node(self) -> Part:
        """Say whether clients are let in."""
        if self.phase is Phase.SERVING and self.admission.total >= self.admission.most:
            return Part(ready=False, state="full")
        return Part(self.phase is Phase.SERVING, self.phase.value)

    async def _ask(self) -> None:
        try:
            await self.backend.members(_ANY_CHAT)
        except BackendError:
            # Whatever it said, the breaker has taken note of it.
            return
        except Exception:  # noqa: BLE001 - the fence: a probe is not worth the node
            _log.exception("probe_failed")
        finally:
            self._is_asking = False


def _part_of(broker: BrokerStatistics) -> Part:
    """Say whether what is published on any node is told here.

    The proof is what came back: of the stream within a second or two, of the channel what
    this node itself says there every few seconds.
    """
    is_back = broker.is_followed and broker.is_heard
    is_ready = is_back and broker.state == "attached"
    return Part(is_ready, broker.state if is_back or broker.state == "detached" else "silent")
