"""Searches for compounds that an objective scores high: one line each, imported when asked for."""

from iatros.core.registry import Registry

__all__ = ["OPTIMISERS"]

OPTIMISERS = Registry("optimiser", group="iatros.molecules.optimisers")

_HERE = "iatros.molecules.optimisers"

OPTIMISERS.add(
    "hybrid",
    f"{_HERE}.hybrid:Hybrid",
    "a language model and genetic operators that learn from each other's finds",
    extra="molecules",
)
OPTIMISERS.add(
    "reinforce",
    f"{_HERE}.reinforce:Reinforce",
    "a language model that is rewarded for what it writes",
    extra="molecules",
)
OPTIMISERS.add(
    "graph-ga",
    f"{_HERE}.graph_ga:GraphGa",
    "a genetic algorithm that changes and crosses structures",
    extra="molecules",
)
OPTIMISERS.add(
    "screen",
    f"{_HERE}.library:BestOfLibrary",
    "the best compounds of the start library: the baseline",
    extra="molecules",
)
