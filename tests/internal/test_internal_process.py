"""``gogate serve`` with an internal port, as a process of its own."""

from __future__ import annotations

import signal

from fakes.clients import open_client, open_raw
from fakes.process import open_gateway
from fakes.watched import ask


async def test_the_log_says_where_the_internal_port_is(fake, tmp_path):
    """What is on it counts what happens on the other; and nobody who asks holds up the end."""
    async with open_gateway(fake, tmp_path, INTERNAL_PORT="0") as gateway:
        port = (await gateway.logged("serving_internal"))["port"]
        async with open_client(gateway.port, fake.token(3)), open_client(gateway.port):
            status, body = await ask(port, "/metrics")
            ready = (await ask(port, "/ready"))[0]
        async with open_raw(port):
            gateway.signal(signal.SIGTERM)
            assert await gateway.ended() == 0

    assert (status, ready) == (200, 200)
    assert b'\ngogate_connections{state="authenticated"} 1.0\n' in body
    assert b'\ngogate_connections{state="unauthenticated"} 1.0\n' in body
    assert gateway.events() == ["serving_internal", "serving", "draining", "stopped"]


async def test_two_gateways_on_one_machine_have_a_port_each(fake, tmp_path):
    """0 takes any free one."""
    async with (
        open_gateway(fake, tmp_path, INTERNAL_PORT="0") as one,
        open_gateway(fake, tmp_path, INTERNAL_PORT="0") as other,
    ):
        ports = {(await each.logged("serving_internal"))["port"] for each in (one, other)}
        answers = [await ask(port, "/health") for port in ports]

    assert len(ports) == 2
    assert [status for status, _ in answers] == [200, 200]
