"""The actions of every domain, from Python.

>>> from iatros.app import risk
>>> result = risk.train(table, outcome="num", out="heart-bundle")  # doctest: +SKIP
>>> risk.predict("heart-bundle", patients)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

from iatros.app.domains import DOMAINS

__all__ = ["DOMAINS", "Finished", "Means", "execute", "finish"]  # and the name of each domain


def __getattr__(name: str) -> Any:
    if name in DOMAINS:
        from iatros.app.python import workbench

        return workbench(name)
    if name in ("Finished", "Means", "execute", "finish"):
        from iatros.app import run

        return getattr(run, name)
    raise AttributeError(f"module 'iatros.app' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *DOMAINS])
