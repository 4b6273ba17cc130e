"""The routes: what is served, the bundles by name, and one address for each action that names a model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from iatros.app.bundles import list_bundles, show_bundle
from iatros.app.domains import domains
from iatros.app.outputs import default_bundle
from iatros.app.run import Means, finish
from iatros.app.system import available_cores
from iatros.core.domain import Action
from iatros.core.domain import load as load_target
from iatros.core.errors import IatrosError, RequestError, UnknownNameError
from iatros.core.request import Request
from iatros.server.bodies import body_schema, checked_name, read_object, read_request
from iatros.server.gate import NOTICE, Gate, error_response, json_response
from iatros.version import __version__

Handler = Callable[[HttpRequest], Awaitable[Response]]


@dataclass(frozen=True)
class Room:
    """What every action is answered with: the folder of bundles, the largest body, and how many run at once."""

    models: Path
    max_body_bytes: int
    limiter: CapacityLimiter


def make(models: Path, api_key: str, max_body_bytes: int) -> FastAPI:
    """The application over the bundles in the folder `models`."""
    app = FastAPI(
        title="iatros",
        version=__version__,
        description=f"Clinical prediction models with their evidence. This is {NOTICE}.",
        docs_url=None,
        redoc_url=None,
        middleware=[Middleware(Gate, api_key=api_key)],
    )
    app.add_exception_handler(IatrosError, _on_error(models))
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    _add_catalogue(app, models)
    components: dict[str, Any] = {}
    room = Room(models, max_body_bytes, CapacityLimiter(available_cores()))
    for domain in domains():
        for action in domain.actions:
            if action.needs_model:
                _add_action(app, domain.name, action, room, components)
    _describe(app, components)
    return app


def _add_catalogue(app: FastAPI, models: Path) -> None:
    @app.get("/health", summary="whether the server answers")
    def health() -> Response:
        return json_response({"status": "ok", "iatros": __version__, "notice": NOTICE})

    @app.get("/models", summary="the bundles that can be asked")
    def listed() -> Response:
        found = [{key: value for key, value in one.items() if key != "path"} for one in list_bundles(models)]
        return json_response({"models": found})

    @app.get("/models/{name}", summary="what a bundle says of itself")
    def shown(name: str) -> Response:
        return json_response(show_bundle(models / checked_name(name, "model")))


def _add_action(app: FastAPI, domain: str, action: Action, room: Room, components: dict[str, Any]) -> None:
    kind = load_target(action.request)
    assert isinstance(kind, type)
    assert issubclass(kind, Request)
    schema = body_schema(kind)
    components |= schema.pop("$defs", {})
    extra: dict[str, Any] = {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}
    }
    if action.writes == "bundle":
        extra["parameters"] = [
            {
                "name": "save_as",
                "in": "query",
                "schema": {"type": "string"},
                "description": f"name of the new bundle; MODEL-{action.name} where not given",
            }
        ]
    app.add_api_route(
        f"/{domain}/{action.name}",
        _handler(domain, action, kind, room),
        methods=["POST"],
        summary=action.summary,
        description=kind.__doc__ or "",
        openapi_extra=extra,
        response_class=Response,
        responses={
            200: {"description": "the result, as `--json` prints it", "content": {"application/json": {}}}
        },
    )


def _handler(domain: str, action: Action, kind: type[Request], room: Room) -> Handler:
    async def answer(call: HttpRequest) -> Response:
        request = read_request(kind, await read_object(call, room.max_body_bytes), room.models)
        save_as = _save_as(action, request, call)
        means = Means(out=None if save_as is None else room.models / save_as)
        finished = await to_thread.run_sync(finish, domain, action.name, request, means, limiter=room.limiter)
        result = finished.result
        if save_as is not None:
            # The folder of the models is the server's own matter: a client knows names only.
            result = {key: value for key, value in result.items() if key != "documents"} | {"bundle": save_as}
        return json_response(result)

    answer.__name__ = f"{domain}_{action.name}"
    return answer


def _save_as(action: Action, request: Request, call: HttpRequest) -> str | None:
    unknown = [name for name in call.query_params if name != "save_as" or action.writes != "bundle"]
    if unknown:
        raise RequestError(f"the query holds {', '.join(sorted(unknown))}, which this address does not take")
    if action.writes != "bundle":
        return None
    name = call.query_params.get("save_as") or default_bundle(action, request).name
    return checked_name(name, "save_as")


def _on_error(models: Path) -> Callable[[HttpRequest, Exception], Awaitable[Response]]:
    prefixes = [f"{models.resolve()}/", f"{models}/"]

    async def handle(call: HttpRequest, error: Exception) -> Response:
        assert isinstance(error, IatrosError)
        return error_response(_without_folder(error, prefixes))

    return handle


def _without_folder(error: IatrosError, prefixes: list[str]) -> IatrosError:
    """`error` in words that do not tell where on the server the bundles lie."""

    def strip(text: str | None) -> str | None:
        for prefix in prefixes:
            text = text.replace(prefix, "") if text else text
        return text

    return type(error)(strip(error.message) or "", hint=strip(error.hint), where=strip(error.where))


async def _on_http(call: HttpRequest, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == UnknownNameError.http_status:
        return error_response(UnknownNameError("there is no such address", hint="see /openapi.json"))
    said = {405: "this address takes another method"}.get(error.status_code, "the call cannot be answered")
    return error_response(RequestError(said, hint="see /openapi.json"), error.status_code)


async def _on_validation(call: HttpRequest, error: Exception) -> Response:
    return error_response(RequestError("the call does not have the form in /openapi.json"))


def _describe(app: FastAPI, components: dict[str, Any]) -> None:
    """Let /openapi.json say how the key is sent, and hold the parts that bodies refer to."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        parts = schema.setdefault("components", {})
        parts["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
        parts.setdefault("schemas", {}).update(components)
        schema["security"] = [{"key": []}]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
