"""How the embedded backend says no: raised anywhere, answered in one place (``backend``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gogate_trio.errors import GoGateError

if TYPE_CHECKING:
    from collections.abc import Mapping

BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
TOO_LARGE: Final = 413


class Refused(GoGateError):
    """The request is answered with this status and this text, and changes nothing."""

    def __init__(self, status: int, text: str, *, details: Mapping[str, str] | None = None) -> None:
        """Take the HTTP status, a constant text, and the faults by field where there are any."""
        super().__init__(text)
        self.status = status
        self.text = text
        self.details = details
