"""The internal API: who may ask, what comes of it, and what is refused."""

from __future__ import annotations

import attrs
import pytest
import trio

from fakes.api import PREFIX, call, send
from fakes.clients import open_client, open_raw
from fakes.leaks import settles
from fakes.logged import configured, events, restored
from fakes.node import within
from fakes.resuming import ask, come
from fakes.secrets import KEY, KEYS
from fakes.watched import open_watched, small_backend
from gogate_trio import publisher
from gogate_trio.broker.memory import MemoryBroker
from gogate_trio.config import (
    InternalSettings,
    MembershipSettings,
    PresenceSettings,
    Secret,
)
from gogate_trio.internal.api import service
from gogate_trio.internal.api.operations import OPERATIONS
from gogate_trio.limits import API_BODY_BYTES, API_PAGE, API_USERS

UPDATED = {"event": "message_updated", "data": {"id": 9, "text": "new ☃"}}


@pytest.fixture
async def node(fake):
    """A gateway with its internal port."""
    async with open_watched(fake) as node:
        yield node


def publish(node, body, **headers):
    """Publish this."""
    return call(node.internal_port, "POST", "publish", body=body, **headers)


# ── publish ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("audience", [{"users": [3, 5, 9]}, {"chat_id": 3}], ids=["users", "chat"])
async def test_what_is_published_reaches_the_audience_and_nobody_else(node, audience):
    """Byte for byte, guide clients too, in the order of the requests."""
    async with (
        open_client(node.port, "token-3") as ann,
        open_client(node.port, "token-5") as eve,
        open_client(node.port, "token-1") as john,
    ):
        for text in ("one", "two"):
            body = {"event": "message_updated", "data": {"id": 9, "text": text}, **audience}
            answer = await publish(node, body)
            assert (answer.status, answer.json["duplicate"]) == (200, False)
        await publish(node, {"event": "chat_updated", "data": {}, "users": [1]})
        with within():
            for person in (ann, eve):
                for text in ("one", "two"):
                    assert (await person.next_event()) == {
                        "event": "message_updated",
                        "data": {"id": 9, "text": text},
                    }
            assert (await john.next_event())["event"] == "chat_updated"

    assert answer.json["audience"] == len(audience.get("users", [3, 5]))


async def test_a_user_can_be_left_out(node):
    """Whoever did it has seen it already."""
    async with open_client(node.port, "token-3") as ann, open_client(node.port, "token-5") as eve:
        await publish(node, {**UPDATED, "chat_id": 3, "except_user": 3})
        await publish(node, {"event": "chat_updated", "data": {}, "chat_id": 3})
        with within():
            assert (await ann.next_event())["event"] == "chat_updated"
            assert (await eve.next_event())["event"] == "message_updated"


async def test_the_data_is_passed_on_as_it_was_written(node):
    """Numbers, order and escapes are the backend's own."""
    data = '{"b": 1.50, "a":"\\u2603", "big":123456789012345678901234567890}'
    body = f'{{"event":"chat_updated","data":{data},"users":[3]}}'.encode()
    async with open_client(node.port, "token-3") as ann:
        assert (await publish(node, body)).status == 200
        with within():
            got = await ann.next_frame()

    assert got.payload == f'{{"event":"chat_updated","data":{data}}}'.encode()


async def test_a_key_publishes_once(node):
    """However often it is said; another key is another publication; a failure takes no key."""
    async with open_client(node.port, "token-3") as ann:
        body = {**UPDATED, "users": [3]}
        failed = await publish(node, {**UPDATED, "chat_id": 999}, idempotency_key="k-1")
        answers = [await publish(node, body, idempotency_key="k-1") for _ in range(3)]
        await publish(node, {**body, "event": "last"}, idempotency_key="k-2")
        with within():
            heard = [(await ann.next_event())["event"] for _ in range(2)]

    assert failed.status == 404
    assert [answer.json["duplicate"] for answer in answers] == [False, True, True]
    assert {answer.json["audience"] for answer in answers} == {1}
    assert heard == ["message_updated", "last"]


async def test_what_is_published_is_told_to_who_comes_back(node):
    """A durable event is kept for those it was for; an ephemeral one is not."""
    async with open_client(node.port) as ann:
        await ann.say("auth", token="token-3", resume=True)
        with within():
            joined = await ann.event("auth_success")
    place = {"session": joined["session"], "position": joined["position"]}
    await publish(node, {"event": "missed", "data": {}, "users": [3], "ephemeral": True})
    await publish(node, {"event": "others", "data": {}, "chat_id": 3, "except_user": 3})
    await publish(node, {**UPDATED, "users": [3]})
    async with open_client(node.port) as ann:
        await ann.say("auth", token="token-3", resume=place)
        with within():
            assert (await ann.event("auth_success"))["recovered"] is True
            assert (await ann.next_event())["event"] == "message_updated"


async def test_a_message_sent_over_rest_has_a_chat(fake, node):
    """Somebody reacts to it: the chat hears of it, though the backend does not name the chat."""
    async with open_client(node.port, "token-3") as ann, open_client(node.port, "token-5") as eve:
        fake.messages[4711] = message = {"id": 4711, "chat_id": 3, "text": "over REST"}
        await publish(node, {"event": "new_message", "data": message, "chat_id": 3})
        with within():
            await ann.event("new_message")
            await ann.say("add_reaction", message_id=4711, emoji="+1")
            assert (await eve.event("new_reaction"))["message_id"] == 4711


async def test_only_a_message_is_learnt_to_be_in_its_chat(fake, node):
    """Another event's ``id`` names something else; nor is ``true`` the first of all messages."""
    names = [("chat_updated", 4711), ("new_message", True)]
    async with open_client(node.port, "token-3") as ann, open_client(node.port, "token-5") as eve:
        for event, number in names:
            fake.messages[int(number)] = {"id": int(number), "chat_id": 3}
            await publish(node, {"event": event, "data": {"id": number}, "chat_id": 3})
            with within():
                await ann.say("add_reaction", message_id=int(number), emoji="+1")
                await ann.event("new_reaction")
        await publish(node, {"event": "last", "data": {}, "chat_id": 3})
        with within():
            heard = [(await eve.next_event())["event"] for _ in range(3)]

    assert heard == ["chat_updated", "new_message", "last"]


async def test_the_keys_of_the_backend_are_not_those_of_clients(node, monkeypatch):
    """Whatever key it chooses, no command of a client is taken for done."""
    keys, publish_it = [], MemoryBroker.publish

    async def note(broker, publication):
        keys.append(publication.key)
        return await publish_it(broker, publication)

    monkeypatch.setattr(MemoryBroker, "publish", note)
    async with open_client(node.port) as ann:
        await come(ann, "token-3")
        with within():
            await ask(ann, 1, "send_message", chat_id=3, text="hello")
            await ann.event("ack")
        again = await publish(node, {**UPDATED, "users": [3]}, idempotency_key=keys[0])

    assert again.json["duplicate"] is False


async def test_nothing_goes_past_a_message_that_waits_for_its_chat(fake, monkeypatch):
    """An edit is not told before what it edits: it is asked for again, and then told."""
    monkeypatch.setattr(publisher, "AUDIENCE_RETRY_SECONDS", (0.01,))
    monkeypatch.setattr(publisher, "LATE_RETRY_SECONDS", 2.0)
    lists = MembershipSettings(ttl=0.0, stale=0.0)
    edit = {**UPDATED, "chat_id": 3}
    async with (
        open_watched(fake, membership=lists) as node,
        open_client(node.port, "token-3") as ann,
    ):
        fake.fail("members", status=503)
        await ann.say("send_message", chat_id=3, text="late")
        assert await settles(lambda: node.metrics.late == 1)
        fake.heal("members")
        early = await publish(node, edit)
        with within():
            while (await publish(node, edit)).status != 200:  # noqa: ASYNC110 - it is asked again
                await trio.sleep(0.1)
            heard = [(await ann.next_event())["event"] for _ in range(2)]

    assert (early.status, early.json["code"]) == (503, "BACKEND_UNAVAILABLE")
    assert heard == ["new_message", "message_updated"]


async def test_who_left_a_chat_is_not_told_later_what_was_published_there(fake):
    """As with messages: today's members count."""
    lists = MembershipSettings(ttl=0.0, stale=0.0)
    async with open_watched(fake, membership=lists) as node:
        async with open_client(node.port) as ann:
            place = attrs.asdict(await come(ann, "token-3"))
        assert await settles(lambda: not node.metrics.connections)
        await publish(node, {**UPDATED, "chat_id": 3})
        await publish(node, {"event": "last", "data": {}, "users": [3]})
        fake.chats[3].remove(3)
        async with open_client(node.port) as ann:
            await ann.say("auth", token="token-3", resume=place)
            with within():
                assert (await ann.event("auth_success"))["recovered"] is True
                assert (await ann.next_event())["event"] == "last"


async def test_a_chat_the_backend_does_not_name_is_not_published_to(fake, node):
    """Nothing has happened then, and the caller is told which of the two it is."""
    unknown = await publish(node, {**UPDATED, "chat_id": 999})
    answers = {}
    for status in (403, 401, 503):
        fake.fail("members", status=status)
        answers[status] = await publish(node, {**UPDATED, "chat_id": 2})
    fake.heal("members")

    assert (unknown.status, unknown.json["code"]) == (404, "CHAT_NOT_FOUND")
    assert {status: (one.status, one.json["code"]) for status, one in answers.items()} == {
        403: (404, "CHAT_NOT_FOUND"),
        401: (503, "BACKEND_UNAVAILABLE"),
        503: (503, "BACKEND_UNAVAILABLE"),
    }
    assert answers[503].headers["retry-after"] == "1"
    assert node.metrics.publications == 0


async def test_the_trace_of_the_caller_goes_on(node, monkeypatch):
    """Where it is kept; what is no trace is passed over and refused by nobody."""
    published, publish_it = [], MemoryBroker.publish

    async def note(broker, publication):
        published.append(publication.trace)
        return await publish_it(broker, publication)

    monkeypatch.setattr(MemoryBroker, "publish", note)
    kept, sampled_out = f"00-{'1' * 32}-{'2' * 16}-01", f"00-{'1' * 32}-{'2' * 16}-00"
    for header in (kept, sampled_out, f"00-{'0' * 32}-{'2' * 16}-01", "anything"):
        answer = await publish(node, {**UPDATED, "users": [3]}, traceparent=header)
        assert answer.status == 200

    assert published == [kept, None, None, None]


# ── instructions ─────────────────────────────────────────────────────────────


async def test_a_user_is_disconnected(node):
    """Every connection, with the code and the reason, and nobody else."""
    async with (
        open_client(node.port, "token-3") as phone,
        open_client(node.port, "token-3") as desk,
        open_client(node.port, "token-5") as eve,
    ):
        body = {"code": 4503, "reason": "logged out"}
        answer = await call(node.internal_port, "POST", "users/3/disconnect", body=body)
        with within():
            assert [await each.close_code() for each in (phone, desk)] == [4503, 4503]
        await publish(node, {**UPDATED, "users": [5]})
        with within():
            await eve.event("message_updated")

    assert (answer.status, answer.json) == (202, {"accepted": True})
    assert await settles(lambda: node.metrics.closed["disconnected"] == 2)
    assert "logged out" not in node.metrics.closed


async def test_how_to_disconnect_may_be_left_out(node):
    """1008, then."""
    async with open_client(node.port, "token-3") as ann:
        await call(node.internal_port, "POST", "users/3/disconnect")
        with within():
            assert await ann.close_code() == 1008


async def test_a_revoked_token_is_found_out_at_once(fake, node):
    """The backend is asked, and what it no longer takes is closed with 4503."""
    fake.tokens["another"] = 3
    async with open_client(node.port, "another") as ann, open_client(node.port, "token-5") as eve:
        del fake.tokens["another"]
        for user in (3, 5):
            answer = await call(node.internal_port, "POST", f"users/{user}/revalidate")
            assert answer.status == 202
        with within():
            assert await ann.close_code() == 4503
        await publish(node, {**UPDATED, "users": [5]})
        with within():
            await eve.event("message_updated")


@pytest.mark.parametrize("how", ["revalidate", "disconnect"])
async def test_nobody_resumes_with_a_token_that_was_revoked_meanwhile(fake, node, how):
    """Between two connections there is nobody to hang up on; the next one is asked about."""
    fake.tokens["another"] = 3
    async with open_client(node.port) as ann:
        place = await come(ann, "another")
    assert await settles(lambda: not node.metrics.connections)
    del fake.tokens["another"]
    await call(node.internal_port, "POST", f"users/3/{how}")
    async with open_client(node.port) as ann:
        resume = attrs.asdict(place)
        await ann.say("auth", token="another", resume=resume)
        with within():
            assert (await ann.event("error"))["code"] == "AUTH_FAILED"


async def test_who_joined_hears_it_after_the_members_were_invalidated(fake):
    """The list is asked for anew, however fresh it is."""
    lists = MembershipSettings(ttl=1000.0, stale=1000.0)
    async with (
        open_watched(fake, membership=lists) as node,
        open_client(node.port, "token-1") as john,
    ):
        await publish(node, {**UPDATED, "chat_id": 3})
        fake.chats[3].append(1)
        before = await publish(node, {**UPDATED, "chat_id": 3})
        await call(node.internal_port, "POST", "chats/3/members/invalidate")
        after = await publish(node, {**UPDATED, "chat_id": 3})
        with within():
            await john.event("message_updated")

    assert (before.json["audience"], after.json["audience"]) == (2, 3)


# ── looking ──────────────────────────────────────────────────────────────────


async def test_connections_are_shown_page_by_page(node):
    """Each once, by number, with who and since when; filtered by user if asked."""
    async with (
        open_client(node.port, "token-3"),
        open_client(node.port, "token-5"),
        open_client(node.port),
    ):
        pages, after = [], 0
        while after is not None:
            path = f"connections?limit=2&after={after}"
            page = (await call(node.internal_port, "GET", path)).json
            pages.append(page)
            after = page["next"]
        eve = (await call(node.internal_port, "GET", "connections?user_id=5")).json

    shown = [each for page in pages for each in page["connections"]]
    assert [len(page["connections"]) for page in pages] == [2, 1]
    assert [each["user_id"] for each in shown] == [3, 5, None]
    assert [each["state"] for each in shown] == ["authenticated"] * 2 + ["unauthenticated"]
    assert {each["address"] for each in shown} == {"127.0.0.1"}
    assert {page["total"] for page in pages} == {3}
    assert [page["elsewhere"] for page in pages] == [[], []]
    assert [each["name"] for each in eve["connections"]] == ["Eve Far"]
    assert eve["connections"][0]["since"].endswith("Z")


async def test_who_is_being_hung_up_on_is_shown_to_be_leaving(node):
    """For as long as it takes them to say goodbye, too."""
    async with open_client(node.port, "token-3"):
        await call(node.internal_port, "POST", "users/3/disconnect")
        (shown,) = (await call(node.internal_port, "GET", "connections")).json["connections"]

    assert shown["state"] == "leaving"


async def test_a_single_node_shows_itself(node):
    """Where in its life it is, and how many are on it."""
    async with open_client(node.port, "token-3"), open_client(node.port, "token-3"):
        answer = await call(node.internal_port, "GET", "nodes")

    (shown,) = answer.json["nodes"]
    assert answer.headers["cache-control"] == "no-store"
    assert (shown["here"], shown["state"]) == (True, "serving")
    assert (shown["connections"], shown["users"]) == (2, 1)


async def test_presence_that_is_off_is_said_to_be_off(node):
    """A stable code, so that a caller can tell it from an empty chat."""
    answer = await call(node.internal_port, "GET", "presence?chat_id=3")

    assert (answer.status, answer.json["code"]) == (409, "PRESENCE_OFF")


async def test_presence_is_asked_for_of_any_chat_the_backend_names(fake):
    """However many are in it; and what is in the way is said with a code."""
    small = PresenceSettings(on=True, members=1)
    lists = MembershipSettings(ttl=0.0, stale=0.0)
    answers = {}
    async with (
        open_watched(fake, presence=small, membership=lists) as node,
        open_client(node.port, "token-5"),
        open_client(node.port, "token-3"),
    ):
        for status in (200, 403, 401, 503):
            if status != 200:
                fake.fail("members", status=status)
            answers[status] = await call(node.internal_port, "GET", "presence?chat_id=3")

    assert answers[200].json == {"chat_id": 3, "online": [3, 5]}
    assert {status: answers[status].json["code"] for status in (403, 401, 503)} == {
        403: "CHAT_NOT_FOUND",
        401: "BACKEND_UNAVAILABLE",
        503: "BACKEND_UNAVAILABLE",
    }


# ── who may ask ──────────────────────────────────────────────────────────────


async def test_nothing_is_told_or_done_without_the_key(node):
    """Whatever the path and the method: the same answer, to the byte."""
    paths = [*(each.path[1:] for each in OPERATIONS), "openapi.json", "none"]
    answers = [
        await call(node.internal_port, method, path, key=key, body=UPDATED | {"users": [3]})
        for method, path in zip(("GET", "POST") * len(paths), paths * 2, strict=True)
        for key in (None, "", KEYS[1], KEY[:-1], KEY + "x")
    ]

    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].json["code"] == "UNAUTHORIZED"
    assert node.metrics.publications == 0


async def test_two_keys_at_once_are_none(node):
    """A proxy that adds a key to somebody else's must not let them pass."""
    lines = f"X-Internal-API-Key: {KEY}\r\n" * 2
    request = f"GET {PREFIX}nodes HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode()

    assert (await send(node.internal_port, request)).status == 401


async def test_keys_are_changed_without_a_gap(fake):
    """INTERNAL_API_TOKENS in place of INTERNAL_API_KEY: the old and the new one for a while."""
    tokens = (Secret(KEYS[1]), Secret(KEYS[2]))
    async with open_watched(fake, internal=InternalSettings(port=0, tokens=tokens)) as node:
        answers = [await call(node.internal_port, "GET", "nodes", key=key) for key in KEYS]

    assert [answer.status for answer in answers[:3]] == [401, 200, 200]


async def test_who_guesses_keys_is_in_the_log_and_in_the_metrics(node):
    """Some lines with the address, none with the key; the rest is counted."""
    with restored():
        stream = configured()
        for _ in range(30):
            await call(node.internal_port, "GET", "nodes", key="guess")

    logs = events(stream)
    lines = [line for line in logs if line["event"] == "api_refused"]
    assert 1 <= len(lines) <= 25
    assert {line["peer"] for line in lines} == {"127.0.0.1"}
    assert "guess" not in repr(logs)
    assert node.metrics.api["nodes", "401"] == 30


# ── what is refused ──────────────────────────────────────────────────────────

BAD_BODIES = {
    "no JSON": (b"{", "INVALID_JSON", None),
    "no UTF-8": (b'{"event":"x","data":{"a":"\xff"},"users":[3]}', "INVALID_JSON", None),
    "nothing": (b"", "INVALID_JSON", None),
    "no object": (b"[]", "INVALID_BODY", "$"),
    "no event": ({"data": {}, "users": [3]}, "INVALID_BODY", "$"),
    "an event of ours": ({"event": "ack", "data": {}, "users": [3]}, "INVALID_BODY", "$.event"),
    "a line break": ({"event": "x\n", "data": {}, "users": [3]}, "INVALID_BODY", "$.event"),
    "a name too long": ({"event": "x" * 65, "data": {}, "users": [3]}, "INVALID_BODY", "$.event"),
    "data no object": ({"event": "x", "data": [], "users": [3]}, "INVALID_BODY", "$.data"),
    "deep data": (
        b'{"event":"x","users":[3],"data":{"a":' + b"[" * 9000 + b"]" * 9000 + b"}}",
        "INVALID_JSON",
        None,
    ),
    "no audience": ({"event": "x", "data": {}}, "INVALID_BODY", "$"),
    "two audiences": (UPDATED | {"users": [3], "chat_id": 3}, "INVALID_BODY", "$"),
    "nobody": (UPDATED | {"users": []}, "INVALID_BODY", "$.users"),
    "too many": (UPDATED | {"users": [3] * (API_USERS + 1)}, "INVALID_BODY", "$.users"),
    "no id": (UPDATED | {"users": [0]}, "INVALID_BODY", "$.users[0]"),
    "a large id": (UPDATED | {"users": [2**63]}, "INVALID_BODY", "$.users[0]"),
    "true": (UPDATED | {"chat_id": True}, "INVALID_BODY", "$.chat_id"),
    "a text": (UPDATED | {"chat_id": "3"}, "INVALID_BODY", "$.chat_id"),
    "misspelt": (UPDATED | {"users": [3], "exept_user": 3}, "INVALID_BODY", "$"),
}


async def test_a_bad_body_is_refused_with_its_field(node):
    """A constant text, a stable code, the place; and nothing of what was sent."""
    answers = {name: await publish(node, body) for name, (body, _, _) in BAD_BODIES.items()}

    assert {
        name: (answer.status, answer.json["code"], answer.json.get("field"))
        for name, answer in answers.items()
    } == {name: (400, code, field) for name, (_, code, field) in BAD_BODIES.items()}
    assert b"exept" not in answers["misspelt"].body
    assert node.metrics.publications == 0


async def test_a_body_that_is_too_large_is_refused(node):
    """Said at once when it is announced, and as soon as it is seen when it is not."""
    body = b'{"event":"x","users":[3],"data":{"a":"%b"}}' % (b"x" * API_BODY_BYTES)
    announced = await publish(node, body)
    chunked = b"80000\r\n" + b" " * 0x80000 + b"\r\n1\r\n \r\n0\r\n\r\n"
    head = (
        f"POST {PREFIX}publish HTTP/1.1\r\nHost: a\r\nX-Internal-API-Key: {KEY}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    seen = await send(node.internal_port, head + chunked)

    assert [(one.status, one.json["code"]) for one in (announced, seen)] == [
        (413, "BODY_TOO_LARGE")
    ] * 2


async def test_a_body_may_come_in_chunks_and_wait_to_be_asked_for(node):
    """As curl sends a large one: the head first, and the rest after 100 Continue."""
    body = b'{"event":"x","data":{},"users":[3]}'
    head = (
        f"POST {PREFIX}publish HTTP/1.1\r\nHost: a\r\nX-Internal-API-Key: {KEY}\r\nExpect:"
        " 100-continue\r\nContent-Type: application/json; charset=utf-8\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()
    with within():
        async with open_raw(node.internal_port) as client:
            await client.send(head)
            assert await client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await client.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
            assert (await client.rest()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_body_that_is_not_said_to_be_json_is_refused(node):
    """So a form on somebody's page can never be a request."""
    for kind in ("", "text/plain", "application/x-www-form-urlencoded"):
        for path, body in (("publish", {**UPDATED, "users": [3]}), ("users/3/disconnect", {})):
            answer = await call(node.internal_port, "POST", path, body=body, content_type=kind)
            assert (answer.status, answer.json["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE"), kind


NOT_THERE = [
    ("GET", "nothing", 404, "NOT_FOUND"),
    ("GET", "nodes/", 404, "NOT_FOUND"),
    ("GET", "/nodes", 404, "NOT_FOUND"),
    ("GET", "%6eodes", 404, "NOT_FOUND"),
    ("GET", "publish", 405, "METHOD_NOT_ALLOWED"),
    ("DELETE", "nodes", 405, "METHOD_NOT_ALLOWED"),
    ("POST", "users/0/revalidate", 400, "INVALID_PARAMETER"),
    ("POST", "users/03/revalidate", 400, "INVALID_PARAMETER"),
    ("POST", f"users/{2**63}/revalidate", 400, "INVALID_PARAMETER"),
    ("POST", "users/../revalidate", 400, "INVALID_PARAMETER"),
    ("POST", "users/3/revalidate?really=1", 400, "INVALID_PARAMETER"),
    ("GET", "presence", 400, "INVALID_PARAMETER"),
    ("GET", "presence?chat_id=3&chat_id=4", 400, "INVALID_PARAMETER"),
    ("GET", "presence?chat_id=%ff", 400, "INVALID_PARAMETER"),
    ("GET", "presence?chat_id=1.5", 400, "INVALID_PARAMETER"),
    ("GET", "connections?limit=0", 400, "INVALID_PARAMETER"),
    ("GET", f"connections?limit={API_PAGE + 1}", 400, "INVALID_PARAMETER"),
    ("GET", "connections?" + "limit=1&" * 99, 400, "INVALID_PARAMETER"),
]
"""method, path, status, code"""


async def test_what_is_not_there_is_said_with_a_code(node):
    """Paths are compared, never interpreted; parameters are as strict as bodies."""
    for method, path, status, code in NOT_THERE:
        answer = await call(node.internal_port, method, path)
        assert (answer.status, answer.json["code"]) == (status, code), path
        assert (status == 405) == ("allow" in answer.headers), path


async def test_an_idempotency_key_that_is_none_is_refused(node):
    """Rather than taken for another."""
    for key in ("", "x" * 129, "a b", "é"):
        request = (
            f"POST {PREFIX}publish HTTP/1.1\r\nHost: a\r\nX-Internal-API-Key: {KEY}\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\n"
            f"Idempotency-Key: {key}\r\n\r\n{{}}"
        ).encode("latin-1")
        answer = await send(node.internal_port, request)
        assert (answer.status, answer.json["code"]) == (400, "INVALID_PARAMETER"), key
        assert answer.json["field"] == "header.Idempotency-Key"


async def test_two_idempotency_keys_are_refused(node):
    """Which of them a proxy has added, nobody can tell."""
    lines = "Idempotency-Key: a\r\n" * 2
    request = (
        f"POST {PREFIX}publish HTTP/1.1\r\nHost: a\r\nX-Internal-API-Key: {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: 2\r\n{lines}\r\n{{}}"
    ).encode()
    answer = await send(node.internal_port, request)

    assert (answer.status, answer.json["code"]) == (400, "INVALID_PARAMETER")


NO_GOODBYES = [
    {"code": 1006},
    {"code": 1011},
    {"code": 2000},
    {"code": 999},
    {"code": 5000},
    {"reason": "x" * 124},
    {"reason": "é"},
    {"reason": "a\n"},
    {"reason": ""},
]


async def test_what_no_close_frame_may_say_is_refused(node):
    """And the user stays."""
    async with open_client(node.port, "token-3") as ann:
        for how in NO_GOODBYES:
            answer = await call(node.internal_port, "POST", "users/3/disconnect", body=how)
            assert (answer.status, answer.json["code"]) == (400, "INVALID_BODY"), how
        await publish(node, {**UPDATED, "users": [3]})
        with within():
            await ann.event("message_updated")


# ── bounds ───────────────────────────────────────────────────────────────────


async def test_who_waits_for_the_backend_keeps_no_probe_out(fake, monkeypatch):
    """So many at once and no more; pages are answered all the while; each ends in time."""
    monkeypatch.setattr(service, "API_AT_ONCE", 2)
    monkeypatch.setattr(service, "API_SECONDS", 1.0)
    fake.hold("members")
    answers = []
    async with open_watched(fake, backend=small_backend(fake)) as node:

        async def ask_for(chat_id):
            answers.append(await publish(node, {**UPDATED, "chat_id": chat_id}))

        async with trio.open_nursery() as asking:
            for _ in range(2):
                asking.start_soon(ask_for, 2)
            with within():
                while node.metrics.api["nodes", "503"] == 0:
                    await call(node.internal_port, "GET", "nodes")
            assert (await node.page("/health"))[0] == 200

    assert [(one.status, one.json["code"]) for one in answers] == [(503, "TOO_SLOW")] * 2


async def test_a_body_that_does_not_come_is_not_waited_for(node, monkeypatch):
    """Who announces and says nothing is told so."""
    monkeypatch.setattr(service, "HANDSHAKE_SECONDS", 0.3)
    request = (
        f"POST {PREFIX}publish HTTP/1.1\r\nHost: a\r\nX-Internal-API-Key: {KEY}\r\n"
        "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    ).encode()

    answer = await send(node.internal_port, request)

    assert (answer.status, answer.json["code"]) == (408, "REQUEST_TIMEOUT")
