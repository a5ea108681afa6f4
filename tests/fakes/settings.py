"""Settings of the backend client for tests: short deadline, few slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakes.secrets import KEY
from gogate_trio.config import BackendSettings, Secret

if TYPE_CHECKING:
    from gogate_trio.backend.dialects import DialectName


def backend_settings(
    url: str,
    *,
    key: str = KEY,
    dialect: DialectName = "guide",
    timeout: float = 5.0,
    max_calls: int = 8,
) -> BackendSettings:
    """Return settings for ``open_backend`` that point at a fake."""
    return BackendSettings(
        url=url,
        internal_api_key=Secret(key),
        dialect=dialect,
        timeout=timeout,
        max_calls=max_calls,
    )
