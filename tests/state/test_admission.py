"""Laws of admission: nobody over a bound comes in, and whoever leaves makes room again."""

from __future__ import annotations

from collections import Counter

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from gogate_trio.state.admission import Admission, Caps, Full, Ticket
from gogate_trio.state.ratelimit import Rate

CAPS = Caps(total=8, unauthenticated=4, per_address=3, handshakes=None, spares_loopback=True)
HOME, ABROAD = "192.0.2.1", "198.51.100.7"


def admission(**changes):
    """An admission with these caps changed."""
    return Admission(attrs.evolve(CAPS, **changes))


def enter(house, address, count=1, now=0.0):
    """Let so many in at once, each with a user; the last answer."""
    for _ in range(count):
        answer = house.enter(address, now)
        if isinstance(answer, Ticket):
            house.authenticated(answer)
    return answer


class Doors(RuleBasedStateMachine):
    """Sockets that come, authenticate, turn out to be somebody else's, and go."""

    tickets = Bundle("tickets")

    def __init__(self):
        super().__init__()
        self.house = admission()
        self.inside = []

    @rule(target=tickets, address=st.sampled_from([HOME, ABROAD, "127.0.0.1", "::1", None]))
    def enter(self, address):
        """Somebody knocks."""
        answer = self.house.enter(address, 0.0)
        if isinstance(answer, Full):
            return None
        self.inside.append(answer)
        return answer

    @rule(ticket=tickets, address=st.sampled_from([HOME, ABROAD]))
    def learn(self, ticket, address):
        """A proxy's socket turns out to be this address's."""
        if ticket in self.inside and ticket.address is None:
            self.house.count_under(ticket, address, 0.0)

    @rule(ticket=tickets)
    def authenticate(self, ticket):
        """It has a user now; saying it twice changes nothing."""
        if ticket in self.inside:
            self.house.authenticated(ticket)

    @rule(ticket=consumes(tickets))
    def leave(self, ticket):
        """It is gone, whatever it was."""
        if ticket in self.inside:
            self.inside.remove(ticket)
            self.house.leave(ticket)

    @invariant()
    def what_is_counted_is_what_is_there(self):
        """All counts are those of the sockets inside, and none is over its cap."""
        addresses = Counter(each.address for each in self.inside if each.address)

        assert self.house.total == len(self.inside) <= CAPS.total
        assert self.house.unauthenticated == sum(not each.is_authenticated for each in self.inside)
        assert self.house.unauthenticated <= CAPS.unauthenticated
        assert self.house._by_address == addresses
        assert all(count <= CAPS.per_address for count in addresses.values())


Doors.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestDoors = Doors.TestCase


def test_a_full_house_lets_nobody_in_until_somebody_leaves():
    """The total counts everybody, wherever they are from."""
    house = admission(total=2)
    first, _ = house.enter(HOME, 0.0), house.enter("127.0.0.1", 0.0)

    assert house.enter(ABROAD, 0.0) is Full.TOTAL
    house.leave(first)
    assert isinstance(house.enter(ABROAD, 0.0), Ticket)


def test_strangers_take_no_more_than_their_share():
    """Those without a user fill their share only; whoever authenticates frees a place in it."""
    house = admission(per_address=0)
    strangers = [house.enter(HOME, 0.0) for _ in range(4)]

    assert house.enter(ABROAD, 0.0) is Full.UNAUTHENTICATED
    house.authenticated(strangers[0])
    assert isinstance(house.enter(ABROAD, 0.0), Ticket)


def test_those_with_a_user_may_take_the_whole_house():
    """The share of strangers is a bound on them, not a place kept for them."""
    assert isinstance(enter(admission(per_address=0), HOME, 8), Ticket)


def test_one_address_takes_no_more_than_its_cap():
    """And does not stand in another's way."""
    house = admission()

    assert enter(house, HOME, 4) is Full.ADDRESS
    assert isinstance(enter(house, ABROAD), Ticket)


def test_an_ipv6_address_is_counted_with_its_network():
    """A customer of any provider has a /64 of addresses: one each would be no bound at all."""
    house = admission()

    assert enter(house, "2001:db8:0:1::1", 3)
    assert enter(house, "2001:db8:0:1:ffff::2") is Full.ADDRESS
    assert isinstance(enter(house, "2001:db8:0:2::1"), Ticket)


def test_zero_means_no_cap_of_one_address():
    """Only the total bounds it then."""
    assert enter(admission(per_address=0), HOME, 9) is Full.TOTAL


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1"])
def test_this_machine_is_spared_where_that_is_said(address):
    """Neither counted nor paced: a proxy beside us, or a developer."""
    once = Rate(0.001, 1)

    assert isinstance(enter(admission(handshakes=once), address, 8), Ticket)
    assert enter(admission(handshakes=once, spares_loopback=False), address, 2) is Full.PACE
    assert enter(admission(spares_loopback=False), address, 4) is Full.ADDRESS


def test_the_pace_of_one_address_is_bounded_however_soon_it_leaves():
    """Coming and going as fast as one can is stopped; after the interval it may come again."""
    house = admission(handshakes=Rate(0.5, 2))
    for _ in range(2):
        house.leave(house.enter(HOME, 0.0))

    assert house.enter(HOME, 0.0) is Full.PACE
    assert isinstance(house.enter(ABROAD, 0.0), Ticket)
    assert isinstance(house.enter(HOME, 2.0), Ticket)


def test_who_was_turned_away_is_not_counted():
    """Being refused holds no place and, for want of a place, costs no pace."""
    house = admission(handshakes=Rate(0.5, 3))
    tickets = [house.enter(HOME, 0.0) for _ in range(3)]
    for _ in range(20):
        assert house.enter(HOME, 2.0) is Full.ADDRESS
    house.leave(tickets[0])

    assert house.total == 2
    assert isinstance(house.enter(HOME, 2.0), Ticket)


def test_a_proxy_s_socket_is_counted_when_its_client_is_known():
    """Before that it counts for the total alone; refused, it may still be taken out once."""
    house = admission()
    tickets = [house.enter(None, 0.0) for _ in range(4)]
    answers = [house.count_under(ticket, HOME, 0.0) for ticket in tickets]
    for ticket in tickets:
        house.leave(ticket)

    assert answers == [None, None, None, Full.ADDRESS]
    assert (house.total, house.unauthenticated, len(house._by_address)) == (0, 0, 0)


def test_what_is_no_address_is_counted_as_it_is():
    """Whatever a platform calls its peers."""
    assert enter(admission(), "somewhere", 4) is Full.ADDRESS
