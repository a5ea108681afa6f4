"""The endpoints only the gateway may call."""

from __future__ import annotations

import jwt
import pytest

from gogate_trio.demo import directory
from gogate_trio.demo.tokens import Tokens

USERS = {
    "guide": {"id": 1, "name": "John Doe", "phone": "+79991234567", "active": True},
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
MEMBERS = {"guide": {"user_id": 1, "name": "John Doe"}, "symfony": USERS["symfony"]}


async def validate(api, token):
    """What the gateway asks when somebody shows a token."""
    return await api.internal("POST", "/auth/validate", json={"token": token})


async def test_a_good_token_names_its_user_in_the_dialect(api):
    """User 1 is the John Doe of the guide, in the shape of the dialect in force."""
    answer = await validate(api, await api.token(1))

    assert answer.status_code == 200
    assert answer.json() == {"valid": True, "user": USERS[api.dialect]}


@pytest.mark.parametrize("token", [None, "", 7, ["x"]])
async def test_a_missing_token_is_400(api, token):
    """No token, an empty one, or something that is no string: 400."""
    answer = await validate(api, token)

    assert answer.status_code == 400
    assert answer.json() == {"error": "Token is required"}


@pytest.mark.parametrize(
    "token", [b'"x"', b'"a.b.c"', rb'"\ud800"', rb'"\u0442"', b'"' + b"x" * 100_000 + b'"']
)
async def test_what_is_no_token_of_ours_is_401(api, token):
    """Any other string is refused, even one that no encoding can hold."""
    answer = await api.internal("POST", "/auth/validate", content=b'{"token": ' + token + b"}")

    assert answer.status_code == 401
    assert answer.json() == {"error": "Invalid token"}


async def test_an_expired_token_is_401(api, store):
    """A token is good until its ``exp`` and not a second longer."""
    john = await store.run(directory.person, 1)
    answer = await validate(api, Tokens(store.token_secret).issue(john, lifetime=-1))

    assert answer.status_code == 401
    assert answer.json() == {"error": "Token has expired"}


@pytest.mark.parametrize(("key", "algorithm"), [("another" * 8, "HS256"), ("", "none")])
async def test_a_token_signed_by_another_is_401(api, key, algorithm):
    """Neither another's signature nor none at all is taken."""
    claims = {"user_id": 1, "exp": 9_999_999_999}
    answer = await validate(api, jwt.encode(claims, key, algorithm=algorithm))

    assert answer.status_code == 401


@pytest.mark.parametrize("claims", [{"user_id": 1}, {"exp": 9_999_999_999}])
async def test_a_token_without_expiry_or_user_is_401(api, store, claims):
    """Our own signature does not help a token that lacks what it must carry."""
    answer = await validate(api, jwt.encode(claims, store.token_secret))

    assert answer.status_code == 401


@pytest.mark.parametrize("user_id", ["1", True, 2**70, 0, None, 99])
async def test_a_token_of_nobody_is_401(api, store, user_id):
    """A signed token whose user id is none, or nobody's, is refused."""
    claims = {"user_id": user_id, "exp": 9_999_999_999}
    answer = await validate(api, jwt.encode(claims, store.token_secret))

    assert answer.status_code == 401


async def test_a_suspended_user_is_403(api):
    """The token is good, its user is not."""
    answer = await validate(api, await api.token(7))

    assert answer.status_code == 403
    assert answer.json() == {"error": "User is inactive"}


@pytest.mark.parametrize("key", [None, "", "wrong", "a-key-of-the-tests "[:-2], "ключ".encode()])
async def test_the_key_opens_and_nothing_else(api, key):
    """Without the key both endpoints are 401, whatever is asked."""
    for method, path in [("POST", "/auth/validate"), ("GET", "/chats/1/members")]:
        answer = await api.internal(method, path, key=key)

        assert answer.status_code == 401
        assert answer.json() == {"error": "Invalid internal API key"}


async def test_members_come_in_the_dialect(api):
    """Chat 1 is the group of the whole cast, each in the dialect's shape."""
    answer = await api.internal("GET", "/chats/1/members")

    assert answer.status_code == 200
    body = answer.json()
    assert body["chat_id"] == 1
    assert body["members"][0] == MEMBERS[api.dialect]
    assert len(body["members"]) == 6


async def test_one_chat_has_five_hundred_members(api):
    """The size the real backend was built for, every member named and none twice."""
    members = (await api.internal("GET", "/chats/4/members")).json()["members"]

    id_key, name_key = ("user_id", "name") if api.dialect == "guide" else ("id", "full_name")
    assert len({member[id_key] for member in members}) == 500
    assert len({member[name_key] for member in members}) == 500


@pytest.mark.parametrize("chat_id", ["99", "0", "-1", "x", "1.5", str(2**63), "9" * 5000, "%D9%A1"])
async def test_an_unknown_chat_is_404(api, chat_id):
    """An id that is nobody's, or none at all, is not found."""
    answer = await api.internal("GET", f"/chats/{chat_id}/members")

    assert answer.status_code == 404
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"9" * 5000])
async def test_what_is_no_json_object_is_400(api, body):
    """Broken, deep, endless or merely not an object: refused before it is looked at."""
    answer = await api.internal("POST", "/auth/validate", content=body)

    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}


async def test_other_paths_and_methods_keep_the_error_shape(api):
    """404 and 405 of the router speak as the internal endpoints do."""
    nowhere = await api.internal("GET", "/nothing")
    wrong = await api.internal("GET", "/auth/validate")

    assert (nowhere.status_code, nowhere.json()) == (404, {"error": "Not Found"})
    assert (wrong.status_code, wrong.json()) == (405, {"error": "Method Not Allowed"})
