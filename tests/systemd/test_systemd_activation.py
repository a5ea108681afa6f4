"""Laws of inherited sockets: whose they are, what they are called, and what is none."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

import pytest

from gogate_trio.errors import OperatorError
from gogate_trio.systemd.activation import inherit

HIGH = 900
"""a file descriptor from which on this process has none"""


@pytest.fixture
def handed():
    """Put copies of sockets where a process would find them, and close what is left of them."""
    with ExitStack() as placed:

        def place(*sockets):
            for number, sock in enumerate(sockets, HIGH):
                os.dup2(sock.fileno(), number)
                placed.callback(_close, number)
                placed.enter_context(sock)

        yield place


def _close(number):
    try:
        os.close(number)
    except OSError:
        return


def listening(family=socket.AF_INET):
    """A socket that clients could connect to."""
    return socket.create_server(("localhost", 0), family=family)


def take(count, *, pid=7, **variables):
    """Inherit as process 7."""
    environ = {"LISTEN_PID": "7", "LISTEN_FDS": str(count), **variables}
    return inherit(environ, pid=pid, first=HIGH)


def test_sockets_come_in_order_with_their_names(handed):
    """Each is what its unit says, non-blocking, and not passed on to anybody."""
    first, second = listening(), listening()
    ports = [first.getsockname()[1], second.getsockname()[1]]
    handed(first, second)

    got = take(2, LISTEN_FDNAMES="gogate.socket:other")

    with ExitStack() as open_ones:
        for each in got:
            open_ones.enter_context(each.socket)
        assert [each.name for each in got] == ["gogate.socket", "other"]
        assert [each.socket.getsockname()[1] for each in got] == ports
        assert not any(each.socket.get_inheritable() for each in got)
        assert not any(each.socket.getblocking() for each in got)


def test_sockets_without_names_are_unknown(handed):
    """As libsystemd calls them."""
    handed(listening())

    (got,) = take(1)

    with got.socket:
        assert got.name == "unknown"


@pytest.mark.parametrize("pid", ["8", "", "07"])
def test_sockets_of_another_process_are_left_alone(handed, pid):
    """The variables are passed on to children; the sockets in them are not theirs."""
    sock = listening()
    handed(sock)

    assert inherit({"LISTEN_PID": pid, "LISTEN_FDS": "1"}, pid=7, first=HIGH) == ()
    os.fstat(HIGH)


def test_without_systemd_there_are_none():
    """A plain start binds its own port."""
    assert inherit({}, pid=7) == ()


@pytest.mark.parametrize("count", ["0", "-1", "65", "one", "", "٣", "9" * 5000])
def test_a_number_that_is_none_is_the_operators_error(count):
    """It is named, and nothing is guessed."""
    with pytest.raises(OperatorError, match=r"^LISTEN_FDS is no number from 1 to 64$"):
        take(count)


def test_names_must_be_as_many_as_sockets(handed):
    """Or nobody knows which is which."""
    handed(listening())

    with pytest.raises(OperatorError, match="LISTEN_FDNAMES has 2 names for 1 sockets"):
        take(1, LISTEN_FDNAMES="one:two")


@pytest.mark.parametrize(
    "make",
    [
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    ],
    ids=["datagrams", "not listening", "unix"],
)
def test_what_accepts_no_tcp_clients_is_the_operators_error(handed, make):
    """The wrong ListenStream= is said at the start; the good sockets before it are let go."""
    handed(listening(), make())

    with pytest.raises(OperatorError, match=f"descriptor {HIGH + 1} is no listening TCP socket"):
        take(2)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(HIGH)


def test_what_is_no_socket_is_the_operators_error():
    """A descriptor that is not even open is named."""
    with pytest.raises(OperatorError, match=f"descriptor {HIGH} is no socket"):
        take(1)
