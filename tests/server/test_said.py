"""What is decided against a client is in the log, so that an operator sees who was cut and why."""

from __future__ import annotations

from fakes.clients import open_client
from fakes.node import open_node, within


async def test_a_hang_up_for_cause_is_a_line_and_a_farewell_is_none(fake, logged):
    """The operator sees who was cut and why; people who come and go leave no line."""
    async with open_node(fake) as node:
        async with open_client(node.port, fake.token(1)):
            pass
        async with open_client(node.port, fake.token(1)) as client:
            with within():
                await client.send(b"\xff\xff")
                code = await client.close_code()

    lines = [each for each in logged if each["event"] == "connection_closed"]
    assert code == 1002
    worth = [each for each in lines if each["log_level"] == "info"]
    assert [(each["kind"], each["code"], each["user"]) for each in worth] == [
        ("protocol error", 1002, 1)
    ]
