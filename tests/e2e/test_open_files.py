"""A gateway whose files run out: full is full, and whoever is inside does not notice."""

from __future__ import annotations

from contextlib import AsyncExitStack

import trio

from fakes.backend import open_fake_backend
from fakes.clients import open_client
from fakes.leaks import descriptors_of, settles
from fakes.node import within
from fakes.process import open_gateway
from fakes.visitors import connect, is_healthy, status_of

FILES = 320
"""Of these 256 are kept in reserve: 64 connections, half of them without a user."""


async def test_at_the_limit_on_open_files_it_serves_and_dials_the_backend(tmp_path):
    """Sixty-four are in, hundreds knock: the chat goes on, over new backend connections too."""
    async with (
        open_fake_backend() as fake,
        open_gateway(fake, tmp_path, open_files=FILES) as node,
        AsyncExitStack() as crowd,
    ):
        with within(60):
            members = [
                await crowd.enter_async_context(open_client(node.port, fake.token(1 + n % 3)))
                for n in range(63)
            ]
            await crowd.enter_async_context(open_client(node.port))
            for _ in range(400):
                await crowd.enter_async_context(connect(node.port))
            full = descriptors_of(node.pid)
            gate = fake.hold("send_message")
            for n, member in enumerate(members[:40]):
                await member.say("send_message", chat_id=1, text=f"message {n}")
            await fake.wait_for_calls("send_message", 40)
            gate.set()
            seen = {(await members[50].event("new_message"))["text"] for _ in range(40)}

        assert seen == {f"message {n}" for n in range(40)}
        assert full <= FILES


async def test_a_full_gateway_is_healthy_and_has_room_again_when_people_leave(tmp_path):
    """503 while it is full, /health all the time, and no descriptor is lost."""
    async with (
        open_fake_backend() as fake,
        open_gateway(fake, tmp_path, open_files=FILES) as node,
    ):
        with within(60):
            before = descriptors_of(node.pid)
            async with AsyncExitStack() as crowd:
                for _ in range(64):
                    await crowd.enter_async_context(open_client(node.port, fake.token(1)))
                assert await status_of(node.port) == 503
                assert await is_healthy(node.port)

            async with trio.open_nursery() as many:
                for _ in range(500):
                    many.start_soon(_knock, node.port)
            # The backend's kept-alive connection is new.
            assert await settles(lambda: descriptors_of(node.pid) <= before + 1)
            assert await status_of(node.port) == 101


async def test_half_of_the_connections_may_be_without_a_user(tmp_path):
    """MAX_UNAUTHENTICATED left to the gateway: the thirty-third stranger of 64 is one too many."""
    async with (
        open_fake_backend() as fake,
        open_gateway(fake, tmp_path, open_files=FILES) as node,
        AsyncExitStack() as crowd,
    ):
        with within(60):
            for _ in range(32):
                await crowd.enter_async_context(open_client(node.port))

            assert await status_of(node.port) == 503


async def test_more_connections_than_files_are_not_promised(tmp_path):
    """MAX_CONNECTIONS over what the system allows is lowered, and the operator is told."""
    async with (
        open_fake_backend() as fake,
        open_gateway(fake, tmp_path, open_files=FILES, MAX_CONNECTIONS="1000") as node,
    ):
        warning = await node.logged("max_connections_lowered")

        assert (warning["asked"], warning["possible"]) == (1000, FILES - 256)


async def _knock(port):
    async with connect(port):
        pass
