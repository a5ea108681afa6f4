"""The endpoints users call: who may, what is stored, how it is refused."""

from __future__ import annotations

import pytest

AUTHORS = {
    "guide": {"id": 1, "name": "John Doe"},
    "symfony": {
        "id": 1,
        "email": "john@buzzchat.example",
        "phone": "+79991234567",
        "first_name": "John",
        "last_name": "Doe",
        "full_name": "John Doe",
        "roles": ["ROLE_USER"],
        "is_active": True,
    },
}


async def test_a_stored_message_is_answered_whole(api):
    """201 and a MessageResponse with every field of the contract, and no other."""
    answer = await api.send(1, chat_id=1, text="Hello!")

    assert answer.status_code == 201
    body = answer.json()
    assert isinstance(body.pop("id"), int)
    assert body.pop("created_at").endswith("+00:00")
    assert body == {
        "chat_id": 1,
        "user": AUTHORS[api.dialect],
        "type": "text",
        "text": "Hello!",
        "reply_to": None,
        "attachments": [],
        "reactions": [],
        "read_count": 0,
        "mentions": None,
        "edited_at": None,
        "is_edited": False,
    }


async def test_a_dialect_reads_only_its_own_field_names(api):
    """A body in the other dialect is refused: the difference must be noticed."""
    other = {"chat_id": 1, "content": "x"} if api.dialect == "guide" else {"chatId": 1, "text": "x"}
    answer = await api.http.post("/api/v1/messages", json=other, headers=await api.as_user(1))

    assert answer.status_code == 400


async def test_a_reply_quotes_its_message(api):
    """The quote carries id, author, text and type."""
    quoted = (await api.send(1, chat_id=1, text="Hello!")).json()["id"]
    answer = await api.send(2, chat_id=1, text="Hi", reply_to_id=quoted)

    assert answer.json()["reply_to"] == {
        "id": quoted,
        "user": {"id": 1, "name": "John Doe"},
        "text": "Hello!",
        "type": "text",
    }


async def test_a_reply_stays_in_its_chat(api):
    """A message of another chat cannot be quoted: its text would leak. Nor can no message."""
    elsewhere = (await api.send(2, chat_id=3, text="Between us")).json()["id"]

    for quoted in (elsewhere, 10**9):
        answer = await api.send(2, chat_id=1, text="Look", reply_to_id=quoted)
        assert answer.status_code == 404
        assert answer.json() == api.public_error("Message to reply to not found")


async def test_an_attachment_stands_without_a_text(api):
    """With a file there need be no text; the file's bytes are where the answer says."""
    answer = await api.send(1, chat_id=1, attachment_ids=[2])

    assert answer.status_code == 201
    assert answer.json()["text"] is None
    (file,) = answer.json()["attachments"]
    assert (file["id"], file["file_name"]) == (2, "release-notes.txt")
    fetched = await api.http.get(file["file_url"])
    assert len(fetched.content) == file["file_size"]
    assert fetched.headers["content-type"] == file["file_type"]


@pytest.mark.parametrize("attachment_id", [1, 99])
async def test_only_ones_own_files_can_be_sent(api, attachment_id):
    """Jane's file and one that does not exist look alike to John: 404."""
    answer = await api.send(1, chat_id=1, text="x", attachment_ids=[attachment_id])

    assert answer.status_code == 404
    assert answer.json() == api.public_error("Attachment not found")


@pytest.mark.parametrize("text", ["x", "x" * 4000, "😀" * 4000, "nul \0 and \r\n"])
async def test_a_text_of_up_to_4000_characters_comes_back_as_it_was(api, text):
    """Characters are counted, not bytes, and none is changed."""
    answer = await api.send(1, chat_id=1, text=text)

    assert answer.status_code == 201
    assert answer.json()["text"] == text


@pytest.mark.parametrize("text", ["", " \n", "x" * 4001, 7, None, True, ["x"]])
async def test_a_text_that_is_none_is_400(api, text):
    """Blank, too long, or no string."""
    answer = await api.send(1, chat_id=1, text=text)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"chat_id": True, "text": "x"},
        {"chat_id": 0, "text": "x"},
        {"chat_id": 2**63, "text": "x"},
        {"chat_id": "1", "text": "x"},
        {"text": "x"},
        {"chat_id": 1, "text": "x", "reply_to_id": "1"},
        {"chat_id": 1, "text": "x", "attachment_ids": 7},
        {"chat_id": 1, "attachment_ids": [True]},
        {"chat_id": 1, "attachment_ids": []},
    ],
)
async def test_ids_are_whole_numbers_from_one(api, fields):
    """``true``, a digit string, zero and what no bigint holds are no ids."""
    answer = await api.send(1, **fields)

    assert answer.status_code == 400


async def test_half_a_surrogate_pair_is_400(api):
    """JSON can spell it, nothing can store it: refused by name, not by a crash."""
    name = next(iter(api.body({"text": None})))
    body = rb'{"%b": "\ud800", "%b": 1}' % (
        name.encode(),
        next(iter(api.body({"chat_id": 1}))).encode(),
    )
    answer = await api.http.post("/api/v1/messages", content=body, headers=await api.as_user(1))

    assert answer.status_code == 400
    assert answer.json() == api.public_error(
        f"Validation failed: {name} must be valid Unicode", **{name: "must be valid Unicode"}
    )


async def test_unknown_chats_and_messages_are_404(api):
    """What does not exist is not found, in the dialect's words."""
    answers = [
        (await api.send(1, chat_id=99, text="x"), "Chat not found"),
        (await api.history(1, 99), "Chat not found"),
        (await api.react(1, 10**9, emoji="👍"), "Message not found"),
        (await api.read(1, [10**9]), "Message not found"),
        (await api.react(1, "..%2f..%2finternal", emoji="👍"), "Not Found"),
    ]

    for answer, text in answers:
        assert (answer.status_code, answer.json()) == (404, api.public_error(text))


async def test_who_is_not_in_the_chat_may_nothing(api):
    """Kenji is not in John's and Jane's chat: 403 for sending, reacting, reading, looking."""
    message_id = (await api.send(1, chat_id=2, text="Between us")).json()["id"]
    answers = [
        await api.send(3, chat_id=2, text="Hello?"),
        await api.react(3, message_id, emoji="👍"),
        await api.read(3, [message_id]),
        await api.history(3, 2),
    ]

    for answer in answers:
        assert answer.status_code == 403
        assert answer.json() == api.public_error("You are not a member of this chat")


async def test_a_known_idempotency_key_is_given_its_first_answer(api):
    """Same key and user: the same bytes with 200, and nothing is stored a second time."""
    key = {"Idempotency-Key": "k-1"}
    first = await api.send(1, chat_id=2, text="Once", headers=key)
    await api.react(2, first.json()["id"], emoji="👍")
    again = await api.send(1, chat_id=2, text="Once", headers=key)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.content == first.content
    texts = [message["text"] for message in (await api.history(1, 2)).json()["messages"]]
    assert texts.count("Once") == 1


async def test_an_idempotency_key_belongs_to_its_user(api):
    """Another user's same key, or another key, is another message."""
    sent = [
        await api.send(user, chat_id=2, text="x", headers={"Idempotency-Key": key})
        for user, key in [(1, "k"), (2, "k"), (1, "l")]
    ]

    assert [answer.status_code for answer in sent] == [201, 201, 201]
    assert len({answer.json()["id"] for answer in sent}) == 3


async def test_a_refused_message_does_not_use_up_its_key(api):
    """After a refusal the same key stores."""
    key = {"Idempotency-Key": "k"}
    assert (await api.send(3, chat_id=2, text="x", headers=key)).status_code == 403

    assert (await api.send(3, chat_id=1, text="x", headers=key)).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_an_idempotency_key_has_1_to_200_characters(api, key):
    """Anything else is 400."""
    answer = await api.send(1, chat_id=1, text="x", headers={"Idempotency-Key": key})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic am9objpkb2U="},
        {"Cookie": "access_token=nonsense"},
    ],
)
async def test_without_a_good_token_every_endpoint_is_401(api, headers):
    """Whatever is asked, in the dialect's words."""
    for method, path in [
        ("POST", "/messages"),
        ("POST", "/messages/read"),
        ("POST", "/messages/1/reactions"),
        ("GET", "/chats"),
        ("GET", "/chats/1/messages"),
    ]:
        answer = await api.http.request(method, f"/api/v1{path}", headers=headers)

        assert answer.status_code == 401
        assert answer.json() in [
            api.public_error("Authentication required"),
            api.public_error("Invalid token"),
        ]


async def test_the_cookie_is_as_good_as_the_header(api):
    """``access_token`` alone identifies; beside a bad header it does not."""
    cookie = {"Cookie": f"access_token={await api.token(1)}"}
    alone = await api.http.get("/api/v1/chats", headers=cookie)
    beside = await api.http.get("/api/v1/chats", headers={**cookie, "Authorization": "Bearer x"})

    assert (alone.status_code, beside.status_code) == (200, 401)


async def test_a_suspended_user_may_nothing(api):
    """403, though the token is good."""
    answer = await api.send(7, chat_id=1, text="x")

    assert answer.status_code == 403
    assert answer.json() == api.public_error("User is inactive")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
async def test_what_is_no_json_object_is_400(api, body):
    """On every endpoint that reads one."""
    for path in ("/messages", "/messages/read", "/messages/1/reactions"):
        answer = await api.http.post(f"/api/v1{path}", content=body, headers=await api.as_user(1))

        assert answer.status_code == 400


@pytest.mark.parametrize("size", [256 * 1024 + 1, 5_000_000])
async def test_a_body_over_the_limit_is_413_and_the_connection_lives(api, size):
    """It is read to its end and answered, and the next request is served as ever."""
    answer = await api.http.post(
        "/api/v1/messages", content=b"x" * size, headers=await api.as_user(1)
    )

    assert answer.status_code == 413
    assert answer.json() == api.public_error("Request body too large")
    assert (await api.send(1, chat_id=1, text="x")).status_code == 201
