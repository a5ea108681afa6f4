"""A restart of the real process: SIGTERM keeps the window, kill -9 is said to have lost it."""

from __future__ import annotations

import signal

import trio

from fakes.clients import open_client
from fakes.process import open_gateway
from fakes.resuming import come, come_back


async def talk_and_leave(fake, gateway, place=None):
    """Jane comes (back) and goes, then John writes; return where she was and how she was met."""
    with trio.fail_after(20):
        async with open_client(gateway.port) as jane:
            if place is None:
                place, met = await come(jane, fake.token(2)), []
            else:
                met = [await come_back(jane, fake.token(2), place)]
                if met[0]["recovered"]:
                    met.append(await jane.event("new_message"))
        async with open_client(gateway.port, fake.token(1)) as john:
            await john.say("send_message", chat_id=2, text="said while she was away")
            await john.event("new_message")
    return place, met


async def test_after_sigterm_clients_resume_and_after_kill_9_they_fetch(fake, tmp_path):
    """What was left is used once: the crash of the one who used it does not bring it back."""
    variables = {"STATE_DIR": str(tmp_path)}
    async with open_gateway(fake, tmp_path, **variables) as first:
        place, _ = await talk_and_leave(fake, first)
        first.signal(signal.SIGTERM)
        assert await first.ended() == 0
    async with open_gateway(fake, tmp_path, **variables) as second:
        _, (welcome, missed) = await talk_and_leave(fake, second, place)
        second.signal(signal.SIGKILL)
        await second.ended()
    async with open_gateway(fake, tmp_path, **variables) as third:
        _, (after_crash,) = await talk_and_leave(fake, third, place)

    assert first.events() == ["serving", "draining", "state_kept", "stopped"]
    assert second.events() == ["state_restored", "serving"]
    assert third.events() == ["serving"]
    assert welcome["recovered"]
    assert missed["text"] == "said while she was away"
    assert not after_crash["recovered"]
