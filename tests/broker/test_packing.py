"""Laws of what is told between nodes: it comes out as it went in, and junk comes out as nothing."""

from __future__ import annotations

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.broker.audiences import Audiences
from gogate_trio.broker.base import Disconnect, ForgetMembers, Publication, Revalidate
from gogate_trio.broker.packing import Header, Packing, read_header
from gogate_trio.broker.stream import entries
from gogate_trio.ids import MAX_ID
from gogate_trio.limits import ENTRY_BYTES, KEPT_AUDIENCES

IDS = st.integers(1, MAX_ID)
AUDIENCES = st.dictionaries(IDS, st.just("Jo"), max_size=20)
PUBLICATIONS = st.builds(
    Publication,
    st.binary(max_size=100),
    AUDIENCES,
    is_durable=st.just(True),
    except_user=st.none() | IDS,
    chat_id=st.none() | IDS,
    trace=st.none() | st.text("0123456789abcdef-", max_size=55),
    key=st.none() | st.text(max_size=100),
)
INSTRUCTIONS = (
    st.builds(Disconnect, IDS, st.integers(1000, 4999), st.text(max_size=30))
    | st.builds(Revalidate, IDS)
    | st.builds(ForgetMembers, IDS)
)


def plain(publication):
    """What of a publication travels."""
    fields = attrs.asdict(publication, recurse=False)
    return fields | {"audience": {*publication.audience}}


@given(PUBLICATIONS)
def test_a_publication_arrives_as_it_was_sent(publication):
    """Everything but names, which nobody needs."""
    packing = Packing()

    arrived = packing.unpack(packing.pack(publication))

    assert plain(arrived) == plain(publication)


@given(INSTRUCTIONS)
def test_an_instruction_arrives_as_it_was_sent(instruction):
    """Whatever it says."""
    packing = Packing()

    assert packing.unpack(packing.pack(instruction)) == instruction


@given(st.lists(PUBLICATIONS, max_size=5))
def test_what_may_be_missed_arrives_too(publications):
    """Several in one message, with who has sent it; and none is a message as well."""
    packing = Packing()

    node, arrived = packing.unpack_ephemeral(packing.pack_ephemeral("n", publications))

    assert node == "n"
    assert [{*each.audience} for each in arrived] == [{*each.audience} for each in publications]
    assert not any(each.is_durable for each in arrived)


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=9) | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=6),
        max_leaves=12,
    ).map(msgspec.msgpack.encode)
)
def test_any_bytes_are_something_or_nothing(data):
    """Nothing a stranger puts there raises, and no id it names is out of bounds."""
    packing = Packing()
    packing.unpack_ephemeral(data)
    what = packing.unpack(data)

    match what:
        case Publication():
            assert all(1 <= user <= MAX_ID for user in what.audience)
        case Disconnect(user_id=name) | Revalidate(user_id=name) | ForgetMembers(chat_id=name):
            assert 1 <= name <= MAX_ID
        case _:
            assert what is None


@pytest.mark.parametrize(
    "packed",
    [
        [0, b"{}", msgspec.msgpack.encode([0]), None, None, None, None],
        [0, b"{}", msgspec.msgpack.encode([MAX_ID, 1]), None, None, None, None],
        [0, b"{}", msgspec.msgpack.encode([1] * 1_000_001), None, None, None, None],
        [0, b"{}", b"\x90", 0, None, None, None],
        [0, b"{}", b"\x90", None, None, "x" * 65, None],
        [0, b"{}", b"\x90", None, None, None, "x" * 1025],
        [0, b"x" * ENTRY_BYTES, b"\x90", None, None, None, None],
        [1, 5, 999, ""],
        [1, 5, 5000, ""],
        [1, 5, 4503, "x" * 124],
        [2, 0],
        [3, -1],
        [4, 1],
    ],
)
def test_what_is_absurd_is_nobodys(packed):
    """Ids, codes and sizes that no node of ours says."""
    assert Packing().unpack(msgspec.msgpack.encode(packed)) is None


@given(AUDIENCES)
def test_equal_audiences_are_one_object(audience):
    """So that the hub joins what goes to them, whoever has sent it."""
    near, far = Audiences(), Audiences()

    first, second = far.decode(near.encode(audience)), far.decode(near.encode({**audience}))

    assert first is second
    assert near.encode(audience) is near.encode(audience)
    assert {*first} == {*audience}


def test_remembered_audiences_are_bounded():
    """In number, both ways; what was forgotten is packed and read again."""
    audiences = Audiences()
    made = [{number: ""} for number in range(1, KEPT_AUDIENCES + 3)]
    first = audiences.encode(made[0])
    for audience in made:
        assert {*audiences.decode(audiences.encode(audience))} == {*audience}

    assert len(audiences) == 2 * KEPT_AUDIENCES
    assert audiences.encode(made[0]) == first
    assert audiences.encode(made[0]) is not first


def test_lists_that_change_do_not_pile_up(monkeypatch):
    """A big chat has another list whenever somebody joins: bounded in bytes, both ways."""
    monkeypatch.setattr("gogate_trio.broker.audiences.KEPT_AUDIENCE_BYTES", 1000)
    near, far = Audiences(), Audiences()
    for newcomer in range(102, 202):
        far.decode(near.encode(dict.fromkeys([*range(1, 98), newcomer], "")))

    assert len(near) == len(far) == 9


@given(st.binary(max_size=60) | st.text("0123456789 x", max_size=40).map(str.encode))
def test_any_header_is_read_or_refused(data):
    """Nothing raises."""
    header = read_header(data)

    assert header is None or header.offset >= 0


def test_a_header_is_read():
    """As Redis's script writes it."""
    assert read_header(b"1 ab 7 1795 900 n1 3") == Header("ab", 7, 1795, "n1", 3)
    assert read_header(b"2 ab 7 1795 900 n1 3") is None


def test_a_reply_of_another_shape_holds_nothing():
    """Neither no reply nor one of strangers' entries raises; a stranger's entry is seen as such."""
    assert [*entries(None)] == []
    assert [*entries([[b"1-0"], b"x", 5, [5, 5]])] != []
    (found,) = entries([[b"1-0", [b"a", b"b"]]])
    assert (found.name, found.header) == (b"1-0", None)
