"""One command for each action of each domain, made when it is asked for.

`iatros.cli.actions:risk__train` is the command `iatros risk train`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from cyclopts import App

from iatros.app.domains import load_domain
from iatros.core.domain import Action
from iatros.core.domain import load as load_target

_GOES_ON = ("the same command goes on with the work that was kept",)


def __getattr__(name: str) -> App:
    domain, separator, action = name.partition("__")
    if not domain or not separator:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return command(domain, load_domain(domain).action(action))


def command(domain: str, action: Action) -> App:
    """The command `iatros DOMAIN ACTION`, with the parameters that its request gives it."""
    from iatros.cli.flags import signature, usage

    kind = load_target(action.request)
    shape = signature(kind, action)  # type: ignore[arg-type]

    def act(*args: Any, **flags: Any) -> None:
        bound = shape.bind(*args, **flags)
        bound.apply_defaults()
        _act(domain, action, kind, bound.arguments)

    act.__name__ = action.name
    act.__doc__ = kind.__doc__
    act.__signature__ = shape  # type: ignore[attr-defined]
    app = App(
        name=action.name,
        help=inspect.cleandoc(kind.__doc__ or action.summary),
        help_format="plaintext",
        usage=usage(kind, domain, action),  # type: ignore[arg-type]
        version_flags=[],
    )
    app.default(act)
    return app


def _act(domain: str, action: Action, kind: Any, values: Mapping[str, Any]) -> None:
    from iatros.app.run import Means, finish
    from iatros.cli.config import read_config
    from iatros.cli.flags import check_required, given_fields
    from iatros.cli.progress import open_progress
    from iatros.cli.screen import show
    from iatros.core.request import build

    fields = read_config(values["config"], kind) if values["config"] else {}
    fields |= given_fields(kind, values)
    check_required(kind, fields)
    request = build(kind, fields, flags=True)
    with open_progress(quiet=values["quiet"]) as progress:
        means = Means(
            out=values.get("out"),
            overwrite=values.get("overwrite", False),
            resume=values.get("resume", False),
            engine=values["engine"],
            workers=values["workers"],
            progress=progress,
        )
        try:
            finished = finish(domain, action.name, request, means)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(*_GOES_ON if means.resume else ()) from None
    show(finished, as_json=values["json"], told=progress.told)
