"""What every call passes: the API key, and the catch for faults, so that no error says more than it should."""

from __future__ import annotations

import hmac
import logging
import traceback
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from iatros.app.plain import dumps
from iatros.core.errors import AuthenticationError, IatrosError

OPEN_PATHS = ("/health", "/openapi.json")
NOTICE = "research software, not a medical device"

log = logging.getLogger("iatros.server")


class Gate:
    """Refuses calls without the key, and turns a fault into one JSON error whose words hold no patient data."""

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self.app = app
        self._key = api_key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one call on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def tell(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            if scope["path"] not in OPEN_PATHS:
                self._check(HttpRequest(scope))
            await self.app(scope, receive, tell)
        except Exception as error:
            if not isinstance(error, IatrosError):
                log.error("fault: %s", fault_place(error))
                error = IatrosError(
                    "this is a fault of the server", hint="report the time and what was asked"
                )
            if started:
                raise ConnectionAbortedError from None
            await error_response(error)(scope, receive, send)

    def _check(self, call: HttpRequest) -> None:
        given = call.headers.get("x-api-key")
        if given is None:
            scheme, _, token = call.headers.get("authorization", "").partition(" ")
            given = token.strip() if scheme.lower() == "bearer" else ""
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._key):
            said = "is wrong" if given else "is missing"
            raise AuthenticationError(f"the API key {said}", hint="send it as the header X-API-Key")


def error_response(error: IatrosError, status: int | None = None) -> Response:
    """The one shape of an error over HTTP."""
    response = json_response(error.document(), status or error.http_status)
    if response.status_code == AuthenticationError.http_status:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def json_response(document: Any, status: int = 200) -> Response:
    """`document` as JSON, with the notice that belongs on every answer."""
    headers = {"Iatros-Notice": NOTICE, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(dumps(document), status, headers=headers, media_type="application/json")


def fault_place(error: BaseException) -> str:
    """Type and source line of a fault; never its words, which can be patient data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
