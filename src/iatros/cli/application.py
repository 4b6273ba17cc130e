"""The tree of commands; everything below the first level is imported when it is asked for."""

from __future__ import annotations

from typing import Any

from cyclopts import App, Group

from iatros.app.domains import domains
from iatros.core.domain import Domain
from iatros.version import __version__

_SUMMARY = (
    "From clinical data to a model whose numbers can be defended. Research software, not a medical device."
)
_MODULE = "iatros.cli.actions"

QUESTIONS = Group("Questions", sort_key=1)
TOOLS = Group("Models, data and this machine", sort_key=2)


def build_app() -> App:
    """All commands; calling it with tokens runs one and returns its value, raising whatever goes wrong."""
    app = _group(
        "iatros",
        _SUMMARY,
        version=__version__,
        print_error=False,
        exit_on_error=False,
        group_commands=Group("Commands", sort_key=3),
    )
    for domain in domains():
        app.command(_domain(domain))
    models = _group("models", "methods that can be trained", group=TOOLS)
    models.command("iatros.cli.catalogue:models_list", name="list", help="all methods")
    models.command("iatros.cli.catalogue:models_show", name="show", help="one method and its parameters")
    bundles = _group("bundles", "trained models on disk", group=TOOLS)
    bundles.command("iatros.cli.catalogue:bundles_list", name="list", help="the bundles in a folder")
    bundles.command("iatros.cli.catalogue:bundles_show", name="show", help="what a bundle says of itself")
    bundles.command("iatros.cli.catalogue:bundles_verify", name="verify", help="check every hash of a bundle")
    data = _group(
        "data",
        "public datasets: where they are, under which licence, and their published numbers",
        group=TOOLS,
    )
    data.command("iatros.cli.catalogue:data_list", name="list", help="all datasets")
    data.command("iatros.cli.catalogue:data_get", name="get", help="fetch one into the cache")
    data.command(
        "iatros.cli.catalogue:data_verify", name="verify", help="check the hashes of what lies in the cache"
    )
    for group in (models, bundles, data):
        app.command(group)
    app.command(
        "iatros.cli.doctor:doctor",
        name="doctor",
        help="what this machine and installation can do",
        group=TOOLS,
    )
    app.command(
        "iatros.cli.serve:serve",
        name="serve",
        help="answer over HTTP with the bundles in a folder",
        group=TOOLS,
    )
    return app


def _domain(domain: Domain) -> App:
    group = _group(domain.name, domain.question, group=QUESTIONS)
    for position, action in enumerate(domain.actions):
        target = f"{_MODULE}:{domain.name}__{action.name}"
        group.command(target, name=action.name, help=action.summary, sort_key=position)
    return group


def _group(name: str, summary: str, **options: Any) -> App:
    return App(
        name=name,
        help=summary,
        help_format="plaintext",
        version_flags=["--version"] if "version" in options else [],
        suppress_keyboard_interrupt=False,
        result_action="return_value",
        **options,
    )
