"""What a domain is: one frozen value, a row in a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from iatros.core.registry import Registry


@dataclass(frozen=True)
class Action:
    """One thing that a domain can do.

    `request` and `function` are `"module:name"` strings, imported when the action is asked for.
    `function(request, context)` takes the frozen request and an `iatros.core.context.Context`, and
    returns an `iatros.core.context.Produced`.
    """

    name: str
    summary: str
    request: str
    function: str
    needs_model: bool = False
    """True where the request names a bundle; those actions are also answered over HTTP."""
    writes: Literal["bundle", "table", "documents"] | None = None
    """What the door writes: a new bundle always, a table or the documents where `out` is given, or nothing."""
    resumes: bool = False
    """True where a run can be taken up again although it makes no bundle; what makes a bundle always can."""


@dataclass(frozen=True)
class Domain:
    """A question, and all that iatros has for answering it."""

    name: str
    question: str
    record: str
    sources: tuple[str, ...]
    models: Registry
    actions: tuple[Action, ...]
    metrics: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Metric names by task, the first of which decides between models."""
    baseline: str = ""
    datasets: str = ""
    """`"module:name"` of the `iatros.core.cards.Cards` of public datasets about the question."""

    def action(self, name: str) -> Action:
        """The action called `name`."""
        from iatros.core.errors import unknown_name

        for action in self.actions:
            if action.name == name:
                return action
        raise unknown_name(f"{self.name} action", name, [action.name for action in self.actions])


def load(target: str) -> Callable[..., Any] | type[Any]:
    """Import what a `"module:name"` string stands for."""
    from importlib import import_module

    module, _, attribute = target.partition(":")
    loaded: Callable[..., Any] | type[Any] = getattr(import_module(module), attribute)
    return loaded
