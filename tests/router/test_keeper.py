"""Laws of the keeper on a clock that jumps: who is asked about when, and how many at once."""

# ruff: noqa: ARG001  # pytest-trio takes the clock only from a test's own arguments
from __future__ import annotations

import base64
import time
from contextlib import asynccontextmanager

import attrs
import pytest
import structlog
import trio
from structlog.testing import LogCapture

from gogate_trio import tenure as room
from gogate_trio.backend.base import Members, User
from gogate_trio.config import AuthSettings
from gogate_trio.errors import BackendRejected, BackendUnavailable
from gogate_trio.keeper import Keeper
from gogate_trio.metrics import Metrics
from gogate_trio.protocol.commands import Auth
from gogate_trio.protocol.events import AuthExpiring, AuthSuccess

EPOCH = time.time()
"""When the jumping clock begins, for the wall."""


class Backend:
    """Answers as it is told: a value, or an error to raise, after so many seconds."""

    def __init__(self):
        self.answer = User(1, "John Doe", "", active=True)
        self.seconds = 0.0
        self.asked = []
        self.at_once = self.most_at_once = 0

    async def validate(self, token):
        """Say whose token it is."""
        self.asked.append((token, trio.current_time()))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await trio.sleep(self.seconds)
        self.at_once -= 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def members(self, chat_id):
        """Take the key."""
        await trio.lowlevel.checkpoint()
        return Members(chat_id, {})


class Reception:
    """Welcomes everybody in the words of the guide, and knows those of whom it is told."""

    def __init__(self, *, knows=False):
        self._knows = knows

    async def welcome(self, caller, user, _command):
        """Say so."""
        caller.reply(AuthSuccess(user.user_id, user.name, user.phone))
        await trio.lowlevel.checkpoint()

    def knows(self, _command, _user):
        """Whether it resumes a session of the user's."""
        return self._knows

    def leave(self, _caller):
        """Nobody is missed."""


@attrs.define(eq=False)
class Caller:
    """A connection that notes what it is told."""

    number: int = 1
    user: User | None = None
    token: str = ""
    wants_notices: bool = False
    hangup: object = None
    told: list = attrs.field(factory=list)

    def reply(self, event, to=None):
        """Note the event and when it came."""
        assert to is None
        self.told.append((event, trio.current_time()))

    def identify(self, user, token):
        """Be this user."""
        self.user, self.token = user, token
        return True

    def hang_up(self, hangup):
        """Note the end and when it came."""
        self.told.append((hangup.reason, trio.current_time()))
        self.hangup = hangup


@pytest.fixture
def backend():
    """A backend that likes every token."""
    return Backend()


@pytest.fixture
def logged(monkeypatch):
    """What the keeper logs."""
    capture = LogCapture()
    monkeypatch.setattr(room, "_log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


@asynccontextmanager
async def running(
    backend, *, metrics=None, resumes=False, spread=lambda low, high: (low + high) / 2, **settings
):
    """A keeper at work, whose wall clock goes with trio's."""
    keeper = Keeper(
        backend,
        AuthSettings(**settings),
        reception=Reception(knows=resumes),
        metrics=metrics or Metrics(),
        wall=lambda: EPOCH + trio.current_time(),
        spread=spread,
    )
    async with trio.open_nursery() as supervisor:
        supervisor.start_soon(keeper.run)
        yield keeper
        supervisor.cancel_scope.cancel()


def ending_in(seconds):
    """A token that says it ends so many seconds after the clock's beginning."""
    payload = b'{"exp":%r}' % (EPOCH + trio.current_time() + seconds)
    return f"head.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.tail"


async def come_in(keeper, token, *, notices=False):
    """A caller that has authenticated."""
    caller = Caller()
    await keeper.authenticate(caller, Auth(token, notices))
    return caller


async def test_the_life_of_a_token_by_the_clock(autojump_clock, backend):
    """Notice a minute before the end, the end, and after the grace the goodbye: to the second."""
    async with running(backend, grace=30.0, recheck=0.0) as keeper:
        start = trio.current_time()
        caller = await come_in(keeper, ending_in(3600.0), notices=True)
        await trio.sleep(10_000)

    (_, welcomed), (notice, noticed), (end, ended) = caller.told
    assert welcomed == start
    assert notice == AuthExpiring(60_000)
    assert noticed - start == pytest.approx(3540.0, abs=1e-3)
    assert end == "token expired"
    assert ended - start == pytest.approx(3630.0, abs=1e-3)


async def test_a_notice_never_comes_before_the_welcome(autojump_clock, backend):
    """Also when there is little time left: the client does not know the notice's meaning yet."""
    async with running(backend, recheck=0.0) as keeper:
        caller = await come_in(keeper, ending_in(20.0), notices=True)

    assert [event for event, _ in caller.told] == [
        AuthSuccess(1, "John Doe", ""),
        AuthExpiring(20_000),
    ]


async def test_who_comes_later_with_less_is_not_overslept(autojump_clock, backend):
    """The keeper sleeps until the first of all ends, not until that of the first to come."""
    async with running(backend, grace=0.0, recheck=0.0) as keeper:
        await come_in(keeper, ending_in(90_000.0))
        await trio.sleep(1)
        start = trio.current_time()
        caller = await come_in(keeper, ending_in(100.0))
        await trio.sleep(1000)

    assert caller.told[-1] == ("token expired", pytest.approx(start + 100.0, abs=1e-3))


async def test_rechecks_come_at_the_interval_give_or_take_a_tenth(autojump_clock, backend):
    """As the spread has it, counted from each answer."""
    spreads = iter([0.9, 1.1, 1.0, 1.0])
    async with running(backend, recheck=100.0, spread=lambda _low, _high: next(spreads)) as keeper:
        start = trio.current_time()
        await come_in(keeper, "opaque")
        await trio.sleep(301)

    assert [at - start for _, at in backend.asked] == pytest.approx([0.0, 90.0, 200.0, 300.0])


async def test_an_end_that_the_backend_does_not_believe_in_is_unknown(
    autojump_clock, backend, logged
):
    """Accepted, though over by our clock: ours is wrong, and must not cut everybody off."""
    async with running(backend, grace=30.0, recheck=300.0) as keeper:
        caller = await come_in(keeper, ending_in(-3600.0), notices=True)
        await trio.sleep(1000)
        assert len(backend.asked) == 4
        backend.answer = BackendRejected(401, None)
        await trio.sleep(300)

    assert [event for event, _ in caller.told] == [AuthSuccess(1, "John Doe", ""), "token revoked"]
    assert logged[0]["event"] == "clocks_differ"
    assert logged[0]["ended_seconds_ago"] == 3600


async def test_a_clock_that_is_a_little_off_is_what_the_grace_is_for(autojump_clock, backend):
    """Accepted just after its end: it has the rest of the grace."""
    async with running(backend, grace=30.0, recheck=0.0) as keeper:
        start = trio.current_time()
        caller = await come_in(keeper, ending_in(-10.0))
        await trio.sleep(100)

    assert caller.told[-1] == ("token expired", pytest.approx(start + 20.0, abs=1e-3))


async def test_rechecks_and_newcomers_pass_one_limiter(autojump_clock, backend):
    """A thousand of each at one moment: never more than the limit, and nobody is forgotten."""
    async with running(backend, concurrency=5, recheck=100.0) as keeper:
        for number in range(1000):
            await come_in(keeper, f"old-{number}")
        backend.seconds, backend.asked, backend.most_at_once = 1.0, [], 0
        await trio.sleep(99)
        async with trio.open_nursery() as crowd:
            for number in range(1000):
                crowd.start_soon(come_in, keeper, f"new-{number}")
        newcomers_in = trio.current_time()
        await trio.sleep(300)

    assert backend.most_at_once == 5
    assert len({token for token, _ in backend.asked}) == 2000
    before = [token for token, at in backend.asked if at <= newcomers_in]
    # One recheck at a time stands in line, behind all newcomers: those come first.
    assert sum(token.startswith("old") for token in before) < 50


async def test_a_bug_ends_nobody(autojump_clock, backend, logged):
    """An answer that no backend may give is logged, counted, and taken for none."""
    metrics = Metrics()
    async with running(backend, metrics=metrics, recheck=100.0) as keeper:
        caller = await come_in(keeper, "opaque")
        backend.answer = ZeroDivisionError("a bug")
        await trio.sleep(350)
        backend.answer = BackendRejected(403, None)
        await trio.sleep(100)

    assert metrics.bugs == 3
    assert [entry["event"] for entry in logged].count("recheck_failed") == 3
    assert caller.told[-1][0] == "token revoked"


async def test_an_outage_is_logged_once(autojump_clock, backend, logged):
    """When it begins and when it is over, however many tokens are asked about meanwhile."""
    async with running(backend, recheck=100.0) as keeper:
        callers = [await come_in(keeper, f"opaque-{number}") for number in range(10)]
        backend.answer = BackendUnavailable()
        await trio.sleep(1000)
        backend.answer = User(1, "John Doe", "", active=True)
        await trio.sleep(200)

    assert [entry["event"] for entry in logged] == ["tokens_extended", "tokens_checked_again"]
    assert not any(caller.hangup for caller in callers)


async def test_who_is_gone_is_asked_about_no_more(autojump_clock, backend):
    """Forgetting a caller ends what was planned for it."""
    async with running(backend, recheck=100.0) as keeper:
        caller = await come_in(keeper, ending_in(500.0), notices=True)
        keeper.forget(caller)
        await trio.sleep(5000)

    assert len(backend.asked) == 1
    assert len(caller.told) == 1


async def test_who_resumes_is_let_in_on_the_backends_last_word(autojump_clock, backend):
    """Also during an outage; but asked about when a connection that stayed would be."""
    async with running(backend, resumes=True, recheck=300.0) as keeper:
        start = trio.current_time()
        keeper.forget(await come_in(keeper, "opaque"))
        await trio.sleep(200)
        backend.answer = BackendUnavailable()
        caller = await come_in(keeper, "opaque")
        assert caller.user is not None
        backend.answer = BackendRejected(401, None)
        await trio.sleep(200)

    assert [at - start for _, at in backend.asked] == pytest.approx([0.0, 300.0, 300.0])
    assert caller.told[-1] == ("token revoked", pytest.approx(start + 300.0))


async def test_a_recheck_renews_the_word(autojump_clock, backend):
    """A connection may have been here for hours when its network fails."""
    async with running(backend, resumes=True, recheck=300.0) as keeper:
        caller = await come_in(keeper, "opaque")
        await trio.sleep(3500)
        asked = len(backend.asked)
        keeper.forget(caller)
        await come_in(keeper, "opaque")

    assert len(backend.asked) == asked


@pytest.mark.parametrize("why", ["revoked", "suspected", "ended", "old"])
async def test_no_old_word_lets_in_what_may_be_over(autojump_clock, backend, why):
    """After a revocation, a 401, its own end, or too long, the backend is asked again."""
    async with running(backend, resumes=True, recheck=300.0, spread=min) as keeper:
        token = ending_in(3600.0 if why != "ended" else 100.0)
        caller = await come_in(keeper, token)
        keeper.forget(caller)
        if why == "revoked":
            await come_in(keeper, token)
            backend.answer = BackendRejected(403, None)
            await trio.sleep(280)
        elif why == "suspected":
            keeper.suspect(caller)
        else:
            await trio.sleep(150 if why == "ended" else 301)
        backend.answer, backend.asked = BackendRejected(401, None), []
        late = await come_in(keeper, token)

    assert [asked for asked, _ in backend.asked] == [token]
    assert late.user is None


async def test_no_word_from_before_a_user_is_doubted_lets_them_in(autojump_clock, backend):
    """Logged out between two connections: the backend is asked again, about this user alone."""
    async with running(backend, resumes=True) as keeper:
        keeper.forget(await come_in(keeper, "opaque"))
        await trio.sleep(1)
        keeper.doubt(2)
        assert (await come_in(keeper, "opaque")).user is not None
        assert len(backend.asked) == 1
        keeper.doubt(1)
        await trio.sleep(1)
        backend.answer = BackendRejected(401, None)
        late = await come_in(keeper, "opaque")

    assert len(backend.asked) == 2
    assert late.user is None


async def test_who_is_doubted_while_the_backend_answers_is_asked_about_again(
    autojump_clock, backend
):
    """Its answer may be from before; for one who comes in as for one who is in."""
    backend.seconds = 2.0
    async with running(backend, recheck=300.0) as keeper, trio.open_nursery() as coming:
        callers = []

        async def come():
            callers.append(await come_in(keeper, "opaque"))

        start = trio.current_time()
        coming.start_soon(come)
        await trio.sleep(1)
        keeper.doubt(1)
        # Asked about again as soon as it is in; and told to be in doubt while that goes on.
        await trio.sleep(2)
        keeper.doubt(1)
        keeper.suspect(callers[0])
        await trio.sleep(1.5)
        backend.answer = BackendRejected(401, None)
        await trio.sleep(20)

    assert [at - start for _, at in backend.asked[:3]] == pytest.approx([0.0, 2.0, 7.0])
    assert callers[0].told[-1][0] == "token revoked"


async def test_who_has_left_is_not_asked_about(autojump_clock, backend):
    """Its turn came too late: the backend has enough to do."""
    async with running(backend, concurrency=1) as keeper, trio.open_nursery() as crowd:
        backend.seconds = 1.0
        crowd.start_soon(come_in, keeper, "first")
        await trio.sleep(0.5)
        caller = Caller(hangup="gone")
        await keeper.authenticate(caller, Auth("second"))

    assert [token for token, _ in backend.asked] == ["first"]
    assert caller.told == []
