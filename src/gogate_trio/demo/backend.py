"""The embedded BuzzChat backend: its application, and a port of its own on loopback."""

from __future__ import annotations

import logging
import socket
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import trio
from hypercorn.config import Config
from hypercorn.trio import serve as serve_asgi
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Mount

from gogate_trio.demo.dialects import dialect_of, internal_error
from gogate_trio.demo.intake import WholeBodies
from gogate_trio.demo.internal import Internal
from gogate_trio.demo.playground import Playground
from gogate_trio.demo.public import Public
from gogate_trio.demo.refusal import TOO_LARGE, Refused
from gogate_trio.demo.tokens import Tokens
from gogate_trio.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from hypercorn.typing import ASGIFramework
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Scope

    from gogate_trio.demo.dialects import Dialect, DialectName
    from gogate_trio.demo.store import Store

INTERNAL_PREFIX: Final = "/api/internal/"

BACKLOG: Final = 1024
"""connections that wait to be accepted."""

KEEP_ALIVE_SECONDS: Final = 75.0
"""seconds an idle connection stays open: nginx's default, longer than the gateway's pool keeps
one, so that it is never this side that closes a connection a request is just about to take."""

KEEP_ALIVE_REQUESTS: Final = 1_000_000_000
"""requests on one connection: in effect as many as come."""


class OriginsNow(CORSMiddleware):
    """CORS for origins that are looked up at each request, not once at the start."""

    def __init__(self, app: ASGIApp, *, origins: Container[str]) -> None:
        """Take the origins whose pages may call; the owner may add to them at any time."""
        super().__init__(
            app,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
        )
        self._origins = origins

    def is_allowed_origin(self, origin: str) -> bool:
        """Whether a page of this origin may call."""
        return origin in self._origins


async def serve(  # noqa: PLR0913  # keyword-only, and most have a default
    store: Store,
    *,
    dialect: DialectName,
    internal_api_key: str,
    host: str = "127.0.0.1",
    port: int = 0,
    origins: Container[str] = (),
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; starts with the URL, once it answers there.

    ``origins`` are those of the pages that may call it from a browser. Requests that name
    another host than loopback or ``host`` are refused, so that no foreign page can have its
    own name point here. ``OperatorError`` when the port cannot be had.
    """
    app = application(
        store, dialect=dialect, internal_api_key=internal_api_key, host=host, origins=origins
    )
    listening = _listen(host, port)
    url = f"http://{host}:{listening.getsockname()[1]}"
    config = Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.errorlog = logging.getLogger("gogate.demo")
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.keep_alive_max_requests = KEEP_ALIVE_REQUESTS
    config.include_server_header = False
    # Hypercorn types the messages as TypedDicts, Starlette as mappings: the same dictionaries.
    asgi = cast("ASGIFramework", app)
    async with trio.open_nursery() as serving:
        await serving.start(partial(serve_asgi, asgi, config, mode="asgi"))
        task_status.started(url)


def application(
    store: Store,
    *,
    dialect: DialectName,
    internal_api_key: str,
    host: str,
    origins: Container[str],
) -> Starlette:
    """The ASGI application."""
    tokens = Tokens(store.token_secret)
    speaking = dialect_of(dialect)
    internal = Internal(store, tokens=tokens, dialect=speaking, key=internal_api_key)
    playground = Playground(store, tokens=tokens)
    public = Public(store, tokens=tokens, dialect=speaking)

    def no(scope: Scope, status: int, text: str, details: Mapping[str, str] | None) -> Response:
        return _refusal(speaking, str(scope["path"]), status, text=text, details=details)

    def refused(request: Request, error: Exception) -> Response:
        if isinstance(error, Refused):
            return no(request.scope, error.status, error.text, error.details)
        if isinstance(error, HTTPException):
            return no(request.scope, error.status_code, error.detail, None)
        return no(request.scope, 500, "Internal server error", None)

    return Starlette(
        routes=[
            Mount("/api/internal/v1", routes=internal.routes()),
            Mount("/api/v1/demo", routes=playground.routes()),
            Mount("/api/v1", routes=public.routes()),
        ],
        middleware=[
            Middleware(
                WholeBodies,
                too_large=lambda scope: no(scope, TOO_LARGE, "Request body too large", None),
            ),
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", host]),
            Middleware(OriginsNow, origins=origins),
        ],
        exception_handlers={Refused: refused, HTTPException: refused, Exception: refused},
    )


def _refusal(
    dialect: Dialect, path: str, status: int, *, text: str, details: Mapping[str, str] | None
) -> JSONResponse:
    if path.startswith(INTERNAL_PREFIX):
        return JSONResponse(internal_error(text, details), status_code=status)
    return JSONResponse(dialect.error(text, details), status_code=status)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that already listens: whoever was told the URL can connect at once."""
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise OperatorError(
            f"the backend cannot listen on {host} port {port}: {error.strerror}"
        ) from error
