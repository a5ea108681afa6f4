"""A command that is said again on another node is done once and told once, whatever Redis does."""

from __future__ import annotations

import pytest
import trio

from cluster.world import open_nodes
from fakes.clients import open_client
from fakes.resuming import ask, come, come_back, reply_to

JOHN, JANE = 1, 2
AWAY = 3.0
"""seconds without Redis: the nodes have noticed"""


async def heard_until(client, last):
    """Return the texts that come to a client, up to one."""
    texts = []
    while not texts or texts[-1] != last:
        texts.append((await client.event("new_message"))["text"])
    return texts


@pytest.mark.parametrize("is_away", [False, True], ids=["with Redis", "without Redis"])
async def test_what_is_said_again_elsewhere_is_told_once(
    fake, tmp_path, monkeypatch, valkey, is_away
):
    """John loses his connection before the answer, comes to the other node, and says it again."""
    async with open_nodes(fake, tmp_path, monkeypatch, valkey=valkey) as nodes:
        here, there = nodes.running["a"].port, nodes.running["b"].port
        async with (
            open_client(here, fake.token(JANE)) as jane_here,
            open_client(there, fake.token(JANE)) as jane_there,
        ):
            if is_away:
                valkey.pause()
                await trio.sleep(AWAY)
            with trio.fail_after(60):
                async with open_client(here) as john:
                    place = await come(john, fake.token(JOHN))
                    await ask(john, "x", "send_message", chat_id=1, text="once")
                    assert await heard_until(jane_here, "once") == ["once"]
                async with open_client(there) as john:
                    await come_back(john, fake.token(JOHN), place)
                    await ask(john, "x", "send_message", chat_id=1, text="once")
                    assert (await reply_to(john, "x"))["event"] == "ack"
                    if is_away:
                        valkey.resume()
                        await trio.sleep(AWAY)
                    await ask(john, "y", "send_message", chat_id=1, text="last")
                    assert (await reply_to(john, "y"))["event"] == "ack"

                    for jane, texts in ((jane_here, ["last"]), (jane_there, ["once", "last"])):
                        assert await heard_until(jane, "last") == texts
    assert len(fake.messages) == 2
