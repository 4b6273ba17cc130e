"""The domains of iatros: the only file that names them."""

from __future__ import annotations

from typing import cast

from iatros.core.domain import Domain
from iatros.core.domain import load as load_target
from iatros.core.errors import unknown_name

DOMAINS: dict[str, str] = {
    "imaging": "iatros.imaging:DOMAIN",
    "risk": "iatros.risk:DOMAIN",
    "molecules": "iatros.molecules:DOMAIN",
    "treatment": "iatros.treatment:DOMAIN",
}
"""Name to `"module:attribute"`; loading one imports its table of actions and nothing heavy."""


def load_domain(name: str) -> Domain:
    """The domain called `name`; an unknown name raises with the nearest known ones.

    >>> load_domain("risk").question
    'What will happen to this patient?'
    """
    if name not in DOMAINS:
        raise unknown_name("domain", name, DOMAINS)
    return cast(Domain, load_target(DOMAINS[name]))


def domains() -> list[Domain]:
    """All domains, in the order in which they are shown."""
    return [load_domain(name) for name in DOMAINS]
