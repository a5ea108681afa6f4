"""Laws of looking after a certificate: what is believed, when, and what is said about it."""

from __future__ import annotations

from contextlib import asynccontextmanager

import attrs
import pytest
import structlog
import trio
from structlog.testing import LogCapture

from fakes.certificates import Authority, Files
from gogate_trio.errors import OperatorError
from gogate_trio.limits import TLS_LOOK_SECONDS, TLS_RENEWAL_SECONDS
from gogate_trio.server import tls
from gogate_trio.server.certificate import read_certificate

AUTHORITY = Authority()

pytestmark = pytest.mark.usefixtures("at_once")


@attrs.define(eq=False)
class Reader:
    """Reads certificates as the real reader does, and remembers how often and how it went."""

    outcomes: list[str] = attrs.field(factory=list)
    faults: int = 0
    """How many readings are to fail, whatever the files hold."""

    def __call__(self, settings):
        """Read, or fail, and take a note."""
        if self.faults:
            self.faults -= 1
            self.outcomes.append("no luck")
            raise OperatorError("no luck")
        try:
            read = read_certificate(settings)
        except OperatorError as error:
            self.outcomes.append(str(error))
            raise
        self.outcomes.append("good")
        return read


@pytest.fixture
def files(tmp_path):
    """A certificate and a key in place."""
    written = Files(tmp_path)
    written.write(AUTHORITY.issue())
    return written


@pytest.fixture
def reader():
    """What reads them."""
    return Reader()


@pytest.fixture
def said(monkeypatch):
    """What is logged, as (event, cause or reason)."""
    capture = LogCapture()
    monkeypatch.setattr(tls, "_log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


@pytest.fixture
def at_once(monkeypatch):
    """Leave threads out: the tests' clock knows nothing of them."""

    async def run_at_once(function, *arguments):
        await trio.lowlevel.checkpoint()
        return function(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_at_once)


@asynccontextmanager
async def watching(clock, files, reader=read_certificate):
    """Watch the files for as long as the block lasts, on a clock that jumps."""
    made = tls.Tls(files.settings, read=reader)
    assert trio.lowlevel.current_clock() is clock
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.watch)
        yield made
        nursery.cancel_scope.cancel()


async def looks(count):
    """Wait for so many looks at the files."""
    await trio.sleep(count * TLS_LOOK_SECONDS + 0.1)


async def test_files_that_stay_the_same_are_not_read_again(autojump_clock, reader, files):
    """An hour without a change costs looks, not reads."""
    async with watching(autojump_clock, files, reader):
        reader.outcomes.clear()
        await trio.sleep(3600)

    assert reader.outcomes == []


async def test_a_change_is_taken_at_the_second_look(autojump_clock, reader, files, said):
    """It must have settled: the first look that sees it is not believed."""
    async with watching(autojump_clock, files, reader):
        reader.outcomes.clear()
        said.clear()
        files.write(AUTHORITY.issue(begin=2020, end=2077))
        await looks(1)
        after_one = list(reader.outcomes)
        await looks(1)

    assert (after_one, reader.outcomes) == ([], ["good"])
    assert [entry["event"] for entry in said] == ["tls_certificate_loaded"]
    assert said[0]["expires"] == "2077-01-01"


async def test_a_pair_written_in_two_steps_is_read_once_whole(autojump_clock, reader, files):
    """A key that follows its certificate within a look is never met without it."""
    async with watching(autojump_clock, files, reader):
        reader.outcomes.clear()
        pair = AUTHORITY.issue()
        files.write_chain(pair.chain)
        await looks(1)
        files.write_key(pair.key)
        await looks(3)

    assert reader.outcomes == ["good"]


async def test_a_bad_pair_is_told_once_and_tried_until_it_is_good(
    autojump_clock, reader, files, said
):
    """One line for each reason, however long it lasts; the repair needs no help."""
    async with watching(autojump_clock, files, reader):
        reader.outcomes.clear()
        said.clear()
        pair = AUTHORITY.issue()
        files.write_chain(pair.chain)
        await looks(20)
        after_bad = [entry for entry in said if entry["event"] == "tls_certificate_kept"]
        files.write_key(pair.key)
        await looks(3)

    assert [entry["reason"] for entry in after_bad] == ["TLS_KEY is not the key of TLS_CERT"]
    assert reader.outcomes[-1] == "good"
    assert said[-1]["event"] == "tls_certificate_loaded"


async def test_a_failure_that_passes_is_tried_again(autojump_clock, reader, files, said):
    """When only the reading failed, nobody has to touch the files for another try."""
    async with watching(autojump_clock, files, reader):
        reader.faults = 2
        files.write(AUTHORITY.issue())
        await looks(6)

    assert reader.outcomes[1:] == ["no luck", "no luck", "good"]
    assert [entry["event"] for entry in said[1:]] == [
        "tls_certificate_kept",
        "tls_certificate_loaded",
    ]


async def test_files_that_vanish_are_told_and_the_old_pair_serves_on(autojump_clock, files, said):
    """A tool that deletes first and writes later leaves a gap in which nothing breaks."""
    async with watching(autojump_clock, files) as watched:
        said.clear()
        before = watched.expires_at
        (files.folder / "cert.pem").unlink()
        await looks(3)

    assert [entry["event"] for entry in said] == ["tls_certificate_kept"]
    assert watched.expires_at == before


async def test_a_repeated_request_is_answered_each_time(autojump_clock, files, said):
    """Who sends SIGHUP twice reads twice that it did not help."""
    async with watching(autojump_clock, files) as watched:
        said.clear()
        files.write_key(AUTHORITY.issue().key)
        await watched.reload(tls.ON_REQUEST)
        await watched.reload(tls.ON_REQUEST)

    assert [entry["event"] for entry in said] == ["tls_certificate_kept"] * 2


async def test_a_request_is_not_followed_by_a_second_reading(autojump_clock, reader, files):
    """What a request has read, the next looks do not take for news."""
    async with watching(autojump_clock, files, reader) as watched:
        reader.outcomes.clear()
        files.write(AUTHORITY.issue())
        await watched.reload(tls.ON_REQUEST)
        await looks(5)

    assert reader.outcomes == ["good"]


async def test_a_context_is_made_anew_each_day(autojump_clock, reader, said, files):
    """The key of session tickets lives a day, whatever the files do."""
    async with watching(autojump_clock, files, reader):
        reader.outcomes.clear()
        said.clear()
        await trio.sleep(1.5 * TLS_RENEWAL_SECONDS)

    assert reader.outcomes == ["good"]
    assert [entry["cause"] for entry in said] == ["daily"]


@pytest.mark.parametrize(
    ("years", "warned"),
    [({"begin": 2019, "end": 2020}, True), ({"begin": 2020, "end": 2090}, False)],
)
async def test_a_doubtful_certificate_is_used_with_a_warning(
    autojump_clock, files, said, years, warned
):
    """Expired is taken all the same: it is what the operator gave, and it says so."""
    async with watching(autojump_clock, files) as watched:
        said.clear()
        files.write(AUTHORITY.issue(**years))
        await watched.reload(tls.ON_REQUEST)

    doubts = [entry["reason"] for entry in said if entry["event"] == "tls_certificate_doubtful"]
    assert doubts == (["it has expired"] if warned else [])
    assert said[0]["event"] == "tls_certificate_loaded"


def test_the_end_is_warned_of_two_weeks_ahead(files, monkeypatch):
    """Before that, renewing is nobody's failure yet."""
    files.write(AUTHORITY.issue(begin=2020, end=2090))
    certificate = read_certificate(files.settings)
    end = certificate.expires_at
    doubts = []
    for days in (14.1, 13.9):
        monkeypatch.setattr(tls.time, "time", lambda days=days: end - days * 86_400)
        doubts.append(tls.doubt_about(certificate))

    assert doubts == ["", "it expires in 13.9 days"]
