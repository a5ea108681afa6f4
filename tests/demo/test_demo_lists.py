"""What only the page asks for: chat lists, history, people, tokens; and who may ask from where."""

from __future__ import annotations

import jwt
import pytest

PAGE = "http://127.0.0.1:8080"


async def test_the_chat_list_has_the_latest_first_and_counts_the_unread(api):
    """A new message moves its chat up and is unread to everybody but its author."""
    before = {chat["id"]: chat["unread_count"] for chat in await api.chats(1)}
    sent = (await api.send(2, chat_id=2, text="News")).json()
    john, jane = await api.chats(1), await api.chats(2)

    assert set(before) == {1, 2, 4}
    assert john[0]["id"] == jane[0]["id"] == 2
    assert john[0]["unread_count"] == before[2] + 1
    assert john[0]["last_message"] == sent
    assert jane[0]["unread_count"] == 0


async def test_what_was_read_is_no_longer_unread(api):
    """The list names the first unread message; reading it moves the name on."""
    ids = [(await api.send(2, chat_id=2, text=text)).json()["id"] for text in "ab"]
    history = (await api.history(1, 2)).json()["messages"]
    await api.read(1, [message["id"] for message in history if message["id"] <= ids[0]])

    chat = next(chat for chat in await api.chats(1) if chat["id"] == 2)
    assert (chat["unread_count"], chat["first_unread_id"]) == (1, ids[1])


async def test_a_direct_chat_is_named_after_the_other(api):
    """John sees Jane, Jane sees John; a group has a name of its own and no peer."""
    john = {chat["id"]: chat for chat in await api.chats(1)}
    jane = {chat["id"]: chat for chat in await api.chats(2)}

    assert (john[2]["name"], john[2]["peer"]) == ("Jane Smith", {"id": 2, "name": "Jane Smith"})
    assert (jane[2]["name"], jane[2]["type"]) == ("John Doe", "direct")
    assert (john[1]["type"], john[1]["peer"], john[1]["member_count"]) == ("group", None, 6)
    assert john[4]["member_count"] == 500


async def test_history_pages_back_to_the_first_message_without_gap_or_overlap(api):
    """Oldest first in a page; ``before`` the first id of a page is the page before it."""
    seen, before = [], ""
    while True:
        page = (await api.history(1, 4, f"?limit=20{before}")).json()
        ids = [message["id"] for message in page["messages"]]
        assert ids == sorted(ids)
        seen = ids + seen
        if not page["has_more"]:
            break
        before = f"&before={ids[0]}"

    assert len(seen) == len(set(seen)) == 84
    assert seen == sorted(seen)


async def test_history_is_fifty_messages_unless_told(api):
    """The default page, and the largest."""
    assert len((await api.history(1, 4)).json()["messages"]) == 50
    assert len((await api.history(1, 4, "?limit=100")).json()["messages"]) == 84


@pytest.mark.parametrize(
    "query",
    ["?limit=0", "?limit=101", "?limit=x", "?before=0", "?before=-1", "?before=" + "9" * 5000],
)
async def test_a_window_that_is_none_is_400(api, query):
    """Numbers out of their bounds, and no numbers."""
    assert (await api.history(1, 1, query)).status_code == 400


async def test_seeded_messages_look_alive(api):
    """The group has quotes, reactions, receipts and a picture in it before anybody comes."""
    messages = (await api.history(1, 1)).json()["messages"]

    assert any(message["reply_to"] for message in messages)
    assert any(message["reactions"] for message in messages)
    assert any(message["read_count"] for message in messages)
    pictures = [file for message in messages for file in message["attachments"]]
    assert any(file["thumbnail_url"] for file in pictures)
    times = [message["created_at"] for message in messages]
    assert times == sorted(times)


async def test_a_token_says_who_and_how_long(api, store):
    """Really signed, with the claims of the real backend's and an hour to live."""
    claims = jwt.decode(await api.token(2), store.token_secret, algorithms=["HS256"])

    assert claims["user_id"] == 2
    assert claims["username"] == claims["email"] == "jane@buzzchat.example"
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize(
    ("user_id", "status"), [(9999, 404), (True, 400), ("1", 400), (None, 400), (2**70, 400)]
)
async def test_no_token_for_nobody(api, user_id, status):
    """An unknown user is 404, what is no id is 400."""
    answer = await api.http.post("/api/v1/demo/tokens", json={"user_id": user_id})

    assert answer.status_code == status


async def test_the_people_to_choose_from_are_the_cast(api):
    """Six people with what they do, and the suspended one marked; no extras."""
    people = (await api.http.get("/api/v1/demo/users")).json()["users"]

    assert [one["id"] for one in people] == [1, 2, 3, 4, 5, 6, 7]
    assert people[0] == {"id": 1, "name": "John Doe", "title": "Product lead", "is_active": True}
    assert people[6]["is_active"] is False


async def test_only_the_pages_own_origin_may_call(api):
    """A browser lets the gateway's page through and nobody else's."""
    ours = await api.http.get("/api/v1/demo/users", headers={"Origin": PAGE})
    theirs = await api.http.get("/api/v1/demo/users", headers={"Origin": "http://evil.example"})

    assert ours.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-origin" not in theirs.headers


async def test_the_page_may_send_its_token(api):
    """The preflight allows what the page sends, and refuses a foreign page."""
    ask = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    ours = await api.http.options("/api/v1/messages", headers={"Origin": PAGE, **ask})
    theirs = await api.http.options("/api/v1/messages", headers={"Origin": "null", **ask})

    assert (ours.status_code, theirs.status_code) == (200, 400)


async def test_a_foreign_host_name_is_refused(api):
    """A page whose own name was made to point at loopback gets no tokens here."""
    answer = await api.http.post(
        "/api/v1/demo/tokens", json={"user_id": 1}, headers={"Host": "evil.example"}
    )

    assert answer.status_code == 400


@pytest.mark.parametrize("attachment_id", ["99", "x", "0"])
async def test_an_unknown_file_is_404(api, attachment_id):
    """Files are found by id and by nothing else."""
    assert (await api.http.get(f"/api/v1/demo/files/{attachment_id}")).status_code == 404


async def test_a_file_cannot_run_anything(api):
    """A picture opened by itself is sandboxed and is never taken for another type."""
    headers = (await api.http.get("/api/v1/demo/files/1")).headers

    assert "sandbox" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
