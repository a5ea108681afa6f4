"""The internal API on several nodes that are one: whichever is asked, all of them do it."""

from __future__ import annotations

from contextlib import asynccontextmanager

import trio

from fakes.api import call
from fakes.clients import open_client
from fakes.node import within
from fakes.watched import open_watched
from fixtures.valkey import open_valkey
from gogate_trio.config import ClusterSettings, MembershipSettings, PresenceSettings
from gogate_trio.config.redis import RedisUrl

UPDATED = {"event": "message_updated", "data": {"id": 9}}


@asynccontextmanager
async def open_nodes(fake, folder):
    """Two gateways that share a Valkey, attached to it."""
    lists = MembershipSettings(ttl=1000.0, stale=1000.0)
    async with open_valkey(folder / "valkey") as valkey:
        redis = RedisUrl().parse(valkey.url)

        def settings(name):
            return {
                "cluster": ClusterSettings(redis=redis, node=name, timeout=5.0),
                "membership": lists,
            }

        async with (
            open_watched(fake, **settings("one")) as one,
            open_watched(fake, **settings("two")) as two,
        ):
            await one.becomes_ready()
            await two.becomes_ready()
            yield one, two


async def test_whichever_node_is_asked_every_node_does_it(fake, tmp_path):
    """Published once for a key, told everywhere; forgotten, doubted and hung up on everywhere."""
    fake.tokens["another"] = 5
    async with (
        open_nodes(fake, tmp_path) as (one, two),
        open_client(one.port, "token-3") as ann,
        open_client(two.port, "another") as eve,
        open_client(two.port, "token-1") as john,
    ):
        body = {**UPDATED, "chat_id": 3}
        with within():
            first = await call(one.internal_port, "POST", "publish", body=body, idempotency_key="k")
            again = await call(two.internal_port, "POST", "publish", body=body, idempotency_key="k")
            brief = {"event": "brief", "data": {}, "users": [3, 5], "ephemeral": True}
            await call(two.internal_port, "POST", "publish", body=brief)
            for person in (ann, eve):
                heard = {(await person.next_event())["event"] for _ in range(2)}
                assert heard == {"message_updated", "brief"}

            fake.chats[3].append(1)
            await call(one.internal_port, "POST", "chats/3/members/invalidate")
            # In its place among the publications: behind it the new member hears everything.
            await call(two.internal_port, "POST", "publish", body=body | {"event": "joined"})
            assert (await john.next_event())["event"] == "joined"

            del fake.tokens["another"]
            await call(one.internal_port, "POST", "users/5/revalidate")
            assert await eve.event("joined") == {"id": 9}
            assert await eve.close_code() == 4503
            await call(one.internal_port, "POST", "users/1/disconnect", body={"code": 4510})
            assert await john.close_code() == 4510

    assert [first.json["duplicate"], again.json["duplicate"]] == [False, True]


async def test_the_overview_shows_how_redis_is(fake, tmp_path):
    """Whether this node is at one with the others, and how far behind."""
    async with open_nodes(fake, tmp_path) as (one, _):
        seen = (await call(one.internal_port, "GET", "overview")).json

    assert seen["parts"]["redis"]["ready"]
    assert (seen["redis"]["state"], seen["redis"]["backlog"]) == ("attached", 0)


async def test_each_node_knows_all_and_shows_its_own_connections(fake, tmp_path):
    """The one that is asked comes first; its name is that of its connections."""
    async with (
        open_nodes(fake, tmp_path) as (one, two),
        open_client(two.port, "token-3"),
    ):
        with within():
            while True:
                seen = (await call(two.internal_port, "GET", "nodes")).json["nodes"]
                if len(seen) > 1 and seen[1]["state"] == "serving":
                    break
                await trio.sleep(0.1)
            here = (await call(two.internal_port, "GET", "connections")).json
            while True:
                # The other node says so with its next sign of life.
                there = (await call(one.internal_port, "GET", "connections")).json
                if there["elsewhere"]:
                    break
                await trio.sleep(0.1)

    assert (here["elsewhere"], there["elsewhere"]) == (
        [],
        [{"node": "two", "id": seen[0]["id"], "connections": 1}],
    )
    assert [(each["name"], each["here"]) for each in seen] == [("two", True), ("one", False)]
    assert [(page["node"], page["total"]) for page in (here, there)] == [("two", 1), ("one", 0)]


async def test_any_node_says_where_the_connections_of_a_user_are(fake, tmp_path):
    """How many on which node; who is nowhere else is not looked for there."""
    async with (
        open_nodes(fake, tmp_path) as (one, two),
        open_client(one.port, "token-3"),
        open_client(two.port, "token-3"),
        open_client(two.port, "token-3") as desk,
        open_client(two.port, "token-5"),
    ):

        async def becomes(user, here, elsewhere):
            while True:
                page = (await call(one.internal_port, "GET", f"connections?user_id={user}")).json
                found = {each["node"]: each["connections"] for each in page["elsewhere"]}
                if (len(page["connections"]), found) == (here, elsewhere):
                    break
                await trio.sleep(0.05)

        with within():
            await becomes(3, 1, {"two": 2})
            await becomes(5, 0, {"two": 1})
            await becomes(1, 0, {})
            desk.reset()
            await becomes(3, 1, {"two": 1})


async def test_without_redis_a_node_shows_what_it_has(fake, tmp_path):
    """And says that it does not know of the others; what is about them cannot be had."""
    async with open_valkey(tmp_path / "valkey") as valkey:
        cluster = ClusterSettings(redis=RedisUrl().parse(valkey.url), node="one", timeout=0.2)
        async with (
            open_watched(fake, cluster=cluster, presence=PresenceSettings(on=True)) as one,
            open_client(one.port, "token-3"),
        ):
            await valkey.kill()
            pages = [
                (await call(one.internal_port, "GET", path)).json
                for path in ("connections", "connections?user_id=3")
            ]
            refused = [
                await call(one.internal_port, "GET", path)
                for path in ("nodes", "presence?chat_id=3")
            ]

    assert [(len(page["connections"]), page["elsewhere"]) for page in pages] == [(1, None)] * 2
    assert [(one.status, one.json["code"]) for one in refused] == [(503, "CLUSTER_UNAVAILABLE")] * 2
