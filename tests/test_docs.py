"""The pages hold: their code runs, what they name exists, what exists is named, and every link leads somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from pydantic_core import PydanticUndefined

from iatros.app.domains import domains
from iatros.app.models import list_models, parameters_of, show_model
from iatros.core.domain import load as load_target
from iatros.learners.tabular.dictionary import DictionaryColumn
from iatros.molecules.optimisers import OPTIMISERS
from iatros.version import __version__

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
HOW_TO = sorted((DOCS / "how-to").glob("*.md"))
DECISIONS = sorted((DOCS / "explanation" / "decisions").glob("0*.md"))
AT_HEAD = [
    ROOT / name for name in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
]
PAGES = [*AT_HEAD, *sorted(DOCS.rglob("*.md"))]
HEART = [f"processed.{site}.data" for site in ("cleveland", "hungarian", "switzerland", "va")]
PUBLIC_DATA = {  # dataset: (folder beside the checkout, files)
    "uci-heart-disease": ("uci_heart_disease", HEART),
    "support2": ("support2", ["support2.csv"]),
    "iwpc-warfarin": ("warfarin_iwpc", ["warfarin.csv"]),
}  # fmt: skip


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _docs_module(name: str) -> ModuleType:
    """A module of the docs folder, which is no package."""
    sys.path.insert(0, str(DOCS))
    try:
        return __import__(name)
    finally:
        sys.path.remove(str(DOCS))


@pytest.fixture
def public_data(shared_data: Path, tmp_path: Path) -> None:
    """The public datasets in the cache, so that `iatros data get` finds them there."""
    for dataset, (folder, files) in PUBLIC_DATA.items():
        cache_folder = tmp_path / "iatros-data" / dataset
        cache_folder.mkdir(parents=True)
        for file in files:
            shutil.copy(shared_data / folder / file, cache_folder / file)


@pytest.mark.parametrize("path", TUTORIALS, ids=_name)
def test_tutorials_run_and_show_what_they_print(path: Path, tmp_path: Path) -> None:
    _run(path, tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("public_data")
@pytest.mark.parametrize("path", [*HOW_TO, ROOT / "README.md"], ids=_name)
def test_how_to_pages_run_and_show_what_they_print(path: Path, tmp_path: Path) -> None:
    _run(path, tmp_path)


def _run(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    for ran in _docs_module("code_blocks").run_page(_text(path), folder):
        if ran.shown is not None:
            assert ran.shown.text.strip(), f"line {ran.shown.line} shows nothing"
            # Numbers may differ in the last digits from one processor to the next; words may not.
            missing = _words(ran.shown.text) - _words(ran.printed)
            assert not missing, f"line {ran.shown.line}: run `python docs/code_blocks.py {_name(path)}`"


def _words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]{4,}", text))


def test_both_readmes_run_the_same() -> None:
    english, chinese = (
        [block for block in _docs_module("code_blocks").blocks(_text(path)) if block.kind != "bash no-run"]
        for path in AT_HEAD[:2]
    )
    assert [block.text for block in english] == [block.text for block in chinese]


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_commands_on_pages_have_the_flags_they_are_given(path: Path) -> None:
    known = set(_commands())
    for line, words in _spelt_commands(path):
        named = tuple(word for word in words[1:3] if re.fullmatch(r"[a-z-]+", word))
        command = next((named[:n] for n in (2, 1, 0) if named[:n] in known), ())
        help_text = _help(command)
        for flag in (word.split("=")[0] for word in words if word.startswith("--")):
            assert flag in (*help_text.split(), "--help", "--version"), (
                f"line {line}: {flag} of {' '.join(words[:3])}"
            )


def _spelt_commands(path: Path) -> Iterator[tuple[int, list[str]]]:
    for block in _docs_module("code_blocks").blocks(_text(path)):
        if not block.kind.startswith("bash"):
            continue
        for piece in re.split(r"\n|\|\|?|&&|;|\$\(|2>&1|>", block.text.replace("\\\n", " ")):
            lexer = shlex.shlex(piece.strip(" ()"), posix=True, punctuation_chars=False)
            lexer.whitespace_split = True
            try:
                words = list(lexer)
            except ValueError:  # half of a quotation that held one of the separators
                words = piece.split()
            if words and words[0] == "iatros":
                yield block.line, words


@cache
def _commands() -> list[tuple[str, ...]]:
    from iatros.cli.application import build_app

    return list(_docs_module("generate").commands(build_app()))


@cache
def _help(command: tuple[str, ...]) -> str:
    return str(_docs_module("generate").help_text(command))


def test_the_reference_is_what_the_code_says() -> None:
    made = _docs_module("generate").pages()
    on_disk = {path.name: _text(path) for path in REFERENCE.glob("*.md")}
    assert [name for name in {*made, *on_disk} if made.get(name) != on_disk.get(name)] == [], "run: make docs"


def _section(page: str, title: str, beginning: str = "") -> str:
    """The section of that title; of several, the one that begins so: two domains may have a model of one name."""
    text = _text(REFERENCE / page)
    pattern = rf"^## {re.escape(title)}$\s*({re.escape(beginning)}.*?)(?=^## |\Z)"
    match = re.search(pattern, text, re.MULTILINE | re.DOTALL)
    assert match, f"{page} has no section {title!r}: run make docs"
    return match[1]


def test_every_command_is_in_the_reference() -> None:
    for command in _commands():
        assert "Usage: iatros" in _section("cli.md", " ".join(("iatros", *command)))


def test_every_field_of_every_action_is_in_the_reference() -> None:
    for domain in domains():
        for action in domain.actions:
            section = _section("requests.md", f"{domain.name} {action.name}")
            kind = load_target(action.request)
            for name, field in kind.model_fields.items():  # type: ignore[union-attr]
                assert f"| `{name}` |" in section
                assert field.description, f"{action.request}.{name} has no description"
            if action.needs_model:
                assert _section("http.md", f"POST /{domain.name}/{action.name}")


def test_every_model_and_parameter_is_in_the_reference() -> None:
    for model in list_models():
        section = _section("models.md", model["name"], f"*{model['domain'].capitalize()}.*")
        for parameter in show_model(model["name"], model["domain"])["parameters"]:
            assert f"| `{parameter['name']}` |" in section
            assert parameter["description"], f"{model['name']}.{parameter['name']} has no description"
            assert parameter["default"] is not PydanticUndefined


def test_every_search_and_parameter_is_in_the_reference() -> None:
    for name in OPTIMISERS.names():
        section = _section("searches.md", name)
        for parameter in parameters_of(OPTIMISERS.load(name).Params):
            assert f"| `{parameter['name']}` |" in section
            assert parameter["description"], f"{name}.{parameter['name']} has no description"


def test_every_error_is_in_the_reference_and_in_the_tree() -> None:
    text = _text(REFERENCE / "errors.md")
    codes = set()
    for kind in _docs_module("generate").error_classes():
        line = next(line for line in text.splitlines() if re.search(rf"(^|─ ){kind.__name__} ", line))
        said = line.split(kind.__name__)[1].split()
        assert said[:2] == [str(kind.http_status), str(kind.exit_code)], line
        assert f"| `{kind.__name__}` |" in text
        codes.add(kind.code)
    assert len(codes) == len(_docs_module("generate").error_classes()), "two errors share a code"


def test_every_metric_and_dataset_is_in_the_reference() -> None:
    from iatros.core.metrics.evaluate import metric_names

    for target in _docs_module("generate").TARGETS:
        section = _section("metrics.md", f"{target.task.capitalize()} outcomes")
        assert [name for name in metric_names(target) if f"| `{name}` |" not in section] == []
    for domain in domains():
        for card in load_target(domain.datasets) if domain.datasets else ():  # type: ignore[union-attr]
            assert card.citation.split()[0] in _section("datasets.md", card.name)


def test_every_key_of_a_data_dictionary_is_explained() -> None:
    text = _text(DOCS / "how-to" / "audit-for-leakage.md")
    assert [key for key in DictionaryColumn.model_fields if f"| `{key}` |" not in text] == []


def test_every_environment_variable_is_explained() -> None:
    used = {
        name
        for path in (ROOT / "src").rglob("*.py")
        for name in re.findall(r"\bIATROS_[A-Z_]+\b", _text(path))
    }
    assert used
    assert {name for name in used if f"| `{name}` |" not in _text(DOCS / "index.md")} == set()


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(
        r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", _text(path), flags=re.MULTILINE | re.DOTALL)
    ):
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), target
            continue
        file, _, anchor = target.partition("#")
        page = (path.parent / file).resolve() if file else path
        assert page.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in _anchors(page), f"{target}: the page has no such heading"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_page_is_an_orphan() -> None:
    linked = {
        (path.parent / target.partition("#")[0]).resolve()
        for path in PAGES
        for target in re.findall(r"\]\(([^)\s]+)\)", _text(path))
        if not re.match(r"[a-z]+:", target)
    }
    assert [_name(path) for path in PAGES if path not in linked and path.name != "README.md"] == []


@pytest.mark.parametrize("path", DECISIONS, ids=_name)
def test_decisions_are_dated_and_say_what_was_rejected(path: Path) -> None:
    text = _text(path)
    assert re.match(rf"# {int(path.name[:4])}\. ", text)
    for part in ("\n2026-", "**The question.**", "**Decided.**", "**Rejected.**", "**It costs**"):
        assert part in text, f"{path.name} lacks {part.strip()}"
    assert len(text.split()) <= 450, "half a page"


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads(_text(ROOT / "pyproject.toml"))["project"]
    assert project["version"] == __version__
    assert f"version: {__version__}" in _text(ROOT / "CITATION.cff")
    assert f"## [{__version__}]" in _text(ROOT / "CHANGELOG.md")


@pytest.mark.parametrize("path", [*PAGES, *sorted((ROOT / "src").rglob("*.py"))], ids=_name)
def test_nothing_tells_of_the_machine_it_was_written_on(path: Path) -> None:
    assert not re.search(r"(?<![\w.~/])/(work|root|home|Users|tmp/\w)\b/", _text(path))


def test_pages_say_that_it_is_no_medical_device() -> None:
    for path in (*AT_HEAD[:2], DOCS / "index.md", ROOT / "SECURITY.md", ROOT / "CITATION.cff"):
        assert re.search(r"not a\s+medical\s+device|不是医疗器械", _text(path)), path.name
