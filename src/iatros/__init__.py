"""iatros: from clinical data to a model whose numbers can be defended. Research software, not a medical device.

>>> from iatros.app import risk
>>> result = risk.train("heart.csv", outcome="num", positive=">0", out="heart-bundle")  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from iatros.version import __version__

if TYPE_CHECKING:
    from iatros.app.bundles import list_bundles, show_bundle, verify_bundle
    from iatros.app.models import list_models, show_model
    from iatros.app.run import execute
    from iatros.app.system import describe_system
    from iatros.core.errors import IatrosError

__all__ = [
    "IatrosError",
    "__version__",
    "describe_system",
    "execute",
    "list_bundles",
    "list_models",
    "show_bundle",
    "show_model",
    "verify_bundle",
]

_HOMES = {
    "IatrosError": "iatros.core.errors",
    "describe_system": "iatros.app.system",
    "execute": "iatros.app.run",
    "list_bundles": "iatros.app.bundles",
    "list_models": "iatros.app.models",
    "show_bundle": "iatros.app.bundles",
    "show_model": "iatros.app.models",
    "verify_bundle": "iatros.app.bundles",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'iatros' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
