"""The command line: flags become a request, the request a result, the result a screen or one JSON document."""

from __future__ import annotations

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run one command and leave with its exit code: 0, that of the error's class, 130 (Ctrl-C) or 141 (pipe closed)."""
    from iatros.cli.entry import run

    raise SystemExit(run(arguments))
