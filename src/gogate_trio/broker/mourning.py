"""Says on the stream that nodes are gone with what they may have owed everybody.

Apart from the broker: it is no publication, and a node may say it whatever it follows itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from gogate_trio import limits
from gogate_trio.broker.packing import VERSION
from gogate_trio.broker.scripts import MOURN
from gogate_trio.cluster.link import Link
from gogate_trio.cluster.replies import items, text
from gogate_trio.state.history import new_epoch


async def mourn(link: Link) -> Sequence[str]:
    """Have everybody load who can be told, if nodes are missing; return these nodes.

    One node of all gets them, and says it in the same step. Within LOST_NODE_SECONDS of the
    last time nothing is said: who is missing then is so the next time. Raises
    ``ClusterUnavailable``.
    """
    keys = [link.key(name) for name in ("meta", "stream", "owing", "mourned")]
    reply = await link.run(MOURN, keys, VERSION, new_epoch(), link.node, limits.LOST_NODE_SECONDS)
    return [text(node) for node in items(reply)]
