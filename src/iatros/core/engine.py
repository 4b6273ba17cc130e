"""What an engine is: something that maps a function over items, in order, wherever it runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from iatros.core.progress import Progress

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Shared = TypeVar("Shared")


class Engine(Protocol):
    """Runs `function(shared, item)` for each item; every engine gives what a plain loop gives.

    `function` is a module-level function, `shared` is sent once to each worker rather than with each
    item, and nothing that a function computes may depend on the worker, on the order of execution or
    on the number of workers: randomness comes from a seed inside the item.
    """

    name: str
    workers: int

    def map(
        self,
        function: Callable[[Shared, Item], Answer],
        items: Sequence[Item],
        shared: Shared,
        *,
        progress: Progress,
        label: str,
    ) -> list[Answer]:
        """Answers in the order of `items`; the first error is raised and the rest is cancelled."""
        ...

    def close(self) -> None:
        """Release the workers."""
        ...


class SerialEngine:
    """The plain loop in this process: the reference that every other engine must equal."""

    name = "serial"
    workers = 1

    def map(
        self,
        function: Callable[[Any, Any], Any],
        items: Sequence[Any],
        shared: Any,
        *,
        progress: Progress,
        label: str,
    ) -> list[Any]:
        """Answers in the order of `items`."""
        answers = []
        with progress.step(label, total=len(items)) as step:
            for item in items:
                answers.append(function(shared, item))
                step.advance()
        return answers

    def close(self) -> None:
        """There is nothing to release."""
        return None
