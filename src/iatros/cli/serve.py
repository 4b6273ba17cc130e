"""`iatros serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def serve(
    *,
    models: Annotated[Path, Parameter(help="folder that holds the bundles")],
    host: Annotated[str, Parameter(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="port to listen on")] = 8000,
    json: Annotated[bool, Parameter(negative=(), show=False)] = False,
) -> None:
    """Answer over HTTP with the bundles in a folder.

    The environment variable IATROS_API_KEY must hold a key of 16 characters or more; clients send it
    as the header X-API-Key. Research software, not a medical device.
    """
    from iatros.server import serve as run_server

    run_server(models, host=host, port=port)
