"""``gogate drain``: a running node is asked to end, and watched until it has."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import trio

from fakes.clients import open_client
from fakes.process import open_gateway


async def gogate(*arguments, folder, key, **variables):
    """Run a command of the terminal; return its status, and both of its outputs."""
    given = {"INTERNAL_API_KEY": key, **variables}
    with trio.fail_after(40):
        ran = await trio.run_process(
            [sys.executable, "-m", "gogate_trio", *arguments],
            cwd=folder,
            env=given,
            check=False,
            capture_stdout=True,
            capture_stderr=True,
            stdin=subprocess.DEVNULL,
        )
    return ran.returncode, ran.stdout.decode(), ran.stderr.decode()


async def test_it_says_how_far_the_node_is_and_ends_with_it(fake, tmp_path):
    """The call under way is answered, the client told to come back, and status 0 is both's."""
    gate = fake.hold("send_message")
    async with (
        open_gateway(fake, tmp_path, INTERNAL_PORT="0") as gateway,
        open_client(gateway.port, fake.token(1)) as john,
        trio.open_nursery() as asking,
    ):
        port = str((await gateway.logged("serving_internal"))["port"])
        ended = []

        async def drain():
            ended.append(await gogate("drain", folder=tmp_path, key=fake.key, INTERNAL_PORT=port))

        await john.say("send_message", chat_id=2, text="the last word")
        with trio.fail_after(20):
            await fake.wait_for_calls("send_message", 1)
        asking.start_soon(drain)
        assert (await gateway.logged("draining"))["cause"] == "internal API"
        gate.set()
        with trio.fail_after(20):
            assert (await john.event("new_message"))["text"] == "the last word"
            assert await john.close_code() == 1012
        assert await gateway.ended() == 0

    ((status, said, complaints),) = ended
    first, *_, last = said.splitlines()
    assert (status, complaints) == (0, "")
    assert first.endswith(f"(process {gateway.pid}) drains: 1 connections")
    assert last.endswith(" is gone")


async def test_a_signal_after_it_is_the_first(fake, tmp_path):
    """Who drains a node and then stops the service has asked for nothing to be cut."""
    gate = fake.hold("send_message")
    async with (
        open_gateway(fake, tmp_path, INTERNAL_PORT="0") as gateway,
        open_client(gateway.port, fake.token(1)) as john,
    ):
        port = str((await gateway.logged("serving_internal"))["port"])
        await john.say("send_message", chat_id=2, text="the last word")
        with trio.fail_after(20):
            await fake.wait_for_calls("send_message", 1)
        asked = ("drain", "--no-wait", "--port", port)
        status, said, _ = await gogate(*asked, folder=tmp_path, key=fake.key)
        gateway.signal(signal.SIGTERM)
        await trio.sleep(0.2)
        gate.set()
        with trio.fail_after(20):
            assert (await john.event("new_message"))["text"] == "the last word"
        assert await gateway.ended() == 0

    assert (status, len(said.splitlines())) == (0, 1)
    assert "stopping_at_once" not in gateway.events()


@pytest.mark.parametrize("wrong", ["nobody is there", "the key", "no port"])
async def test_a_node_that_cannot_be_asked_is_one_line_and_status_1(fake, tmp_path, wrong):
    """It says what is wrong, and the node goes on."""
    async with open_gateway(fake, tmp_path, INTERNAL_PORT="0") as gateway:
        port = str((await gateway.logged("serving_internal"))["port"])
        ports = {"nobody is there": ["--port", "1"], "the key": ["--port", port], "no port": []}
        key = fake.key if wrong != "the key" else "not-the-key"
        status, said, complaints = await gogate("drain", *ports[wrong], folder=tmp_path, key=key)

        assert gateway.process.returncode is None
        assert "draining" not in gateway.events()
    texts = {
        "nobody is there": "gogate: nothing answers on the internal port 1 of 127.0.0.1\n",
        "the key": "UNAUTHORIZED",
        "no port": "gogate: INTERNAL_PORT is not set",
    }
    assert (status, said) == (1, "")
    assert texts[wrong] in complaints
    assert complaints.count("\n") == 1
