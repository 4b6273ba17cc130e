"""The server as a process: its key, its socket, and how it stops."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from pathlib import Path

import uvicorn

from iatros.core.errors import AuthenticationError, ConflictError, RequestError, UnknownNameError
from iatros.server import create_app

KEY_VARIABLE = "IATROS_API_KEY"
SHORTEST_KEY = 16


def run(models: Path, *, host: str, port: int) -> None:
    """Serve the bundles in `models` until interrupted."""
    if not models.is_dir():
        raise UnknownNameError(
            "there is no such folder", where=str(models), hint="name the folder that holds bundles"
        )
    app = create_app(models, key_from_environment())
    with _listen(host, port) as listening:
        where = f"http://{host}:{listening.getsockname()[1]}"
        print(f"iatros serves {models} at {where} ({where}/openapi.json); Ctrl-C stops it", file=sys.stderr)
        if not _is_loopback(host):
            print("warning: this address is seen by other machines; put TLS in front", file=sys.stderr)
        config = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=10)
        try:
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt:
            print("iatros: stopped", file=sys.stderr)


def key_from_environment() -> str:
    """The API key; a missing or a short one is refused, because patient data goes through this door."""
    key = os.environ.get(KEY_VARIABLE, "")
    if len(key) < SHORTEST_KEY or not key.isascii():
        said = "is not set" if not key else f"must be {SHORTEST_KEY} or more ASCII characters"
        hint = f"export {KEY_VARIABLE}=$(python3 -c 'import secrets; print(secrets.token_urlsafe())')"
        raise AuthenticationError(f"the environment variable {KEY_VARIABLE} {said}", hint=hint)
    return key


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise RequestError(f"--port is {port}, and a port lies between 0 and 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ConflictError(
            f"{host}:{port} cannot be listened on ({error.strerror or error})",
            hint="choose another --port or --host",
        ) from None
    return listening


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
