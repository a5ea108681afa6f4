"""A process under siege keeps its memory and its files."""

from __future__ import annotations

import trio

from fakes.clients import open_client
from fakes.leaks import descriptors_of, memory_of, settles
from fakes.process import open_gateway
from fakes.strangers import SLOW_STRANGERS, STRANGERS, visit

MEBIBYTE = 1024 * 1024


async def test_a_thousand_hostile_connections_leave_nothing_behind(fake, tmp_path):
    """No descriptor, next to no memory, no line in the log; and the client of before chats on."""
    async with (
        open_gateway(fake, tmp_path, WRITE_WAIT="500ms") as gateway,
        open_client(gateway.port, fake.token(1)) as client,
    ):
        with trio.fail_after(60):
            await visit(gateway.port, STRANGERS, 200, at_once=20)
            await client.say("send_message", chat_id=2, text="before")
            await client.event("new_message")
            files, memory = descriptors_of(gateway.pid), memory_of(gateway.pid)

            await visit(gateway.port, STRANGERS, 1000, at_once=20)
            await visit(gateway.port, SLOW_STRANGERS, 12, at_once=4)

            assert await settles(lambda: descriptors_of(gateway.pid) <= files)
            assert memory_of(gateway.pid) - memory < 16 * MEBIBYTE
            await client.say("send_message", chat_id=2, text="after")
            assert (await client.event("new_message"))["text"] == "after"
        refusals = {"connection_closed", "request_refused", "turned_away"}
        assert set(gateway.events()) <= {"serving", *refusals}
