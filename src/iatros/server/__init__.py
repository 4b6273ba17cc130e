"""The HTTP door: every action that names a model, from the same requests as the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from iatros.core.errors import MissingExtraError

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["create_app", "serve"]


MAX_BODY_BYTES = 32 * 2**20
"""The largest body that is read; a table of 100,000 patients and 50 columns is about half of it."""


def create_app(models: Path, api_key: str, *, max_body_bytes: int = MAX_BODY_BYTES) -> FastAPI:
    """The application over the bundles in the folder `models`; clients show `api_key` as X-API-Key."""
    try:
        from iatros.server.application import make
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return make(models, api_key, max_body_bytes)


def serve(models: Path, *, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until interrupted; the key comes from the environment variable IATROS_API_KEY."""
    try:
        from iatros.server.process import run
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    run(models, host=host, port=port)


def _missing(error: ModuleNotFoundError) -> Exception:
    if error.name not in ("fastapi", "starlette", "uvicorn", "anyio"):
        return error
    return MissingExtraError(f"serving needs the package {error.name}", hint="pip install 'iatros[serve]'")
