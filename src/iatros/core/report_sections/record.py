"""What is needed to repeat the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from iatros.core.report import Block, Code, Facts, Heading, Paragraph, Row, Section, Table
from iatros.core.report_sections.reading import Result, blocks

PROMISE = "The same request on the same data with the same versions gives the same model, byte for byte."


def closing(version: object) -> str:
    """The last line of a report: what wrote it, in which version where that is known, and what it is not."""
    return (
        "Written by iatros"
        + (f" {version}" if version else "")
        + ". Research software, not a medical device."
    )


def reproducibility_section(result: Result, *, promise: str = PROMISE) -> Section:
    """Section: request, versions, seed, fingerprint; `promise` is what they are good for."""
    created = result.mapping("created")
    run = result.part("run_id") or created.get("run_id")
    facts = (
        ("Run", str(run or "in the manifest and the run log")),
        ("Made at", str(created.get("at") or "in the manifest")),
        ("Seed", str(result.document.get("seed", "not recorded"))),
        ("Data fingerprint", str(result.mapping("data").get("fingerprint") or "not recorded")),
        ("Parent bundle", _parent(result.part("parent"))),
    )
    versions = result.mapping("versions")
    rows = tuple(Row((str(name), str(version))) for name, version in versions.items())
    found = blocks(
        Paragraph(promise, "lead"),
        Facts(facts),
        Heading("Request"),
        _request(result),
        Heading("Versions"),
        Table(("Package", "Version"), rows, compact=True) if rows else result.absent("versions"),
    )
    return Section("Reproducibility", found, "reproducibility")


def _parent(parent: Any) -> str:
    if isinstance(parent, Mapping):
        return ", ".join(f"{key} {value}" for key, value in parent.items())
    return str(parent) if parent else "none"


def _request(result: Result) -> Block:
    request = result.mapping("request")
    if not request:
        return result.absent("request")
    shown = {name: _shown(name, value) for name, value in request.items()}
    return Code(json.dumps(shown, indent=2, ensure_ascii=False, default=str))


def _shown(name: str, value: Any) -> Any:
    """Tables and images are named (file or size), never written out: patients' values must not enter a report."""
    if name == "images":
        return _images(value)
    if name != "table" or value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        named = {key: value[key] for key in ("file", "rows", "frame") if _harmless(value.get(key))}
        if len(named) == len(value):
            return named
    return "a table given in memory"


def _images(value: Any) -> Any:
    """Where images came from; of a query to a PACS only what was asked by, since the values can be a patient's."""
    if not isinstance(value, Mapping):
        return "images given in memory"
    if isinstance(value.get("dicomweb"), str):
        asked = [part.partition("=")[0] for part in value["dicomweb"].split("&") if part]
        return {"dicomweb": "query by " + ", ".join(asked) if asked else "every study"}
    named = {key: value[key] for key in ("path", "files") if _harmless(value.get(key))}
    return named if len(named) == len(value) else "images given in memory"


def _harmless(value: Any) -> bool:
    parts = value if isinstance(value, (list, tuple)) else [value]
    return all(isinstance(part, int) for part in parts) or isinstance(value, str)
