"""One tree of exceptions, by whose fault it is.

- ``BackendError``: the backend is wrong, away, or said no.
- ``ClusterUnavailable``: Redis is away, or does not do what it is asked.
- ``OperatorError``: the settings or the machine are wrong.

A client's fault is no exception: it is a value (``protocol.refusals.Refusal``) that is
answered and counted. Everything else that is raised is a bug of ours.
"""

from __future__ import annotations

from typing import Final

_GONE: Final = frozenset({403, 404})


class GoGateError(Exception):
    """Root of everything this program raises on purpose."""


class BackendError(GoGateError):
    """A call to the backend did not end with the answer we asked for.

    ``str()`` of any of these is safe to show to a client: a constant text, or the
    backend's own error text with a cap and without control characters.
    """

    @property
    def is_gone(self) -> bool:
        """Whether what was asked about is no more, or not ours to see.

        Any other error says nothing about it: that our key is refused, for one.
        """
        return False


class BackendRejected(BackendError):
    """The backend answered and said no: repeating the call would be pointless."""

    def __init__(self, status: int, reason: str | None) -> None:
        """Take the HTTP status and the backend's own (cleaned) error text, if it sent one."""
        super().__init__(f"backend error: {reason or f'status {status}'}")
        self.status = status
        self.reason = reason

    @property
    def is_gone(self) -> bool:
        """Whether it is one of the two statuses that are about the thing itself."""
        return self.status in _GONE


class BackendUnavailable(BackendError):
    """Nothing was sent, or the backend answered 5xx before doing anything: safe to repeat."""

    def __init__(self, text: str = "backend unavailable") -> None:
        super().__init__(text)


class BackendBusy(BackendUnavailable):
    """So many calls wait for the backend already that this one was not even queued."""

    def __init__(self) -> None:
        super().__init__("backend busy")


class OutcomeUnknown(BackendError):
    """The request was sent and no usable answer came: it may have happened. We never repeat it."""

    def __init__(self) -> None:
        super().__init__("backend did not answer")


class ClusterUnavailable(GoGateError):
    """Redis did not do what it was asked within its deadline. What was asked may have happened."""

    def __init__(self, reason: str) -> None:
        """``reason``: a word or two of ours, or the word Redis's own error begins with."""
        super().__init__(f"redis: {reason}")
        self.reason = reason


class OperatorError(GoGateError):
    """The operator must change something; the text says what, and holds no secret."""
