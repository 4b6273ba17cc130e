"""`iatros doctor`."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter


def doctor(
    *,
    json: Annotated[bool, Parameter(negative=(), show_default=False, help="print one JSON document")] = False,
) -> None:
    """What this machine and installation can do."""
    from iatros.app.system import describe_system
    from iatros.cli.screen import new_table, open_console, print_json

    found = describe_system()
    if json:
        print_json(found)
        return
    table = new_table("doctor", ["", ""], numbers=False)
    for name, value in _lines(found):
        table.add_row(name, value)
    open_console().print(table)


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    bf16 = {True: "yes", False: "no (training of networks stays in float32)", None: "not known"}[
        found["bf16"]
    ]
    memory = found["memory_gib"]
    lines = [
        ("iatros", found["iatros"]),
        ("python", f"{found['python']} on {found['platform']}"),
        ("cores", str(found["cores"])),
        (
            "memory",
            f"{memory['available']} of {memory['total']} GiB free" if memory["total"] else "not known",
        ),
        ("bf16", bf16),
    ]
    lines += [(name, version or "not installed") for name, version in found["packages"].items()]
    for name, extra in found["extras"].items():
        said = (
            "present"
            if extra["present"]
            else f"lacks {', '.join(extra['missing'])}; type: {extra['install']}"
        )
        lines.append((f"extra {name}", said))
    for name, folder in found["folders"].items():
        said = f"{folder['path']} ({folder['from']}{'' if folder['writable'] else '; NOT writable'})"
        lines.append((f"{name} folder", said))
    return [*lines, ("notice", found["notice"])]
