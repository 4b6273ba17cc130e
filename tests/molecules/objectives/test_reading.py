"""Reading an objective: what a chemist may write, and errors that name the part, its place and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iatros.core.errors import IatrosError, InputError, RequestError, UnknownNameError
from iatros.molecules.objectives.reading import MAX_BYTES, PARTS, load_objective

YAML = """\
name: a lead
combine: arithmetic
parts:
  - property: qed
    weight: 2
  - property: sa
    transform: {kind: reverse-sigmoid, low: 2.5, high: 4.5}
  - similar_to: ["CC(=O)Oc1ccccc1C(=O)O", CCO]
    fingerprint: atom-pair
  - distance_from: known.smi
    transform: {kind: step, at_least: 0.3}
    hard: true
  - require: "[#6]"
  - forbid: ["[N+](=O)[O-]", "[#16]"]
    hard: false
    weight: 0.5
  - alerts: [pains, brenk]
  - elements: [C, N, O, F]
  - ring_sizes: [5, 6]
  - property: ring_systems
    transform: {kind: step, at_most: 2}
    hard: true
  - formula: C9H8O4
    name: the formula of aspirin
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "known.smi").write_text("CCO\nc1ccccc1\n")
    path = tmp_path / "lead.yaml"
    path.write_text(YAML)
    return path


def test_a_file_is_read_and_told_again(file: Path) -> None:
    objective = load_objective(file)
    assert (objective.name, objective.combine, len(objective.parts)) == ("a lead", "arithmetic", 11)
    assert [part.name for part in objective.parts[:4]] == ["qed", "sa", "similarity", "distance"]
    assert [part.hard for part in objective.parts] == [
        False, False, False, True, True, False, True, True, True, True, False,
    ]  # fmt: skip
    told = objective.document()
    assert told["parts"][0] == {"property": "qed", "weight": 2.0, "name": "qed"}
    assert told["parts"][1]["transform"] == {"kind": "reverse-sigmoid", "low": 2.5, "high": 4.5}
    (one,) = objective.score(["CC(=O)Oc1ccccc1C(=O)O"])
    assert one.parts["the formula of aspirin"] == 1.0
    assert one.reason == "constraint not met: no alert of pains, brenk"


def test_every_kind_of_part_is_in_the_example() -> None:
    assert all(f"- {key}:" in YAML for key in PARTS if key != "activity")


def test_the_name_of_a_file_is_the_name_where_none_is_given(tmp_path: Path) -> None:
    path = tmp_path / "potent.yaml"
    path.write_text("parts: [{property: qed}]")
    assert load_objective(path).name == "potent"


def test_parts_of_one_kind_have_different_names() -> None:
    parts: list[dict[str, Any]] = [
        {"property": "qed"},
        {"property": "qed"},
        {"property": "qed", "name": "mine"},
    ]
    assert [one.name for one in load_objective({"parts": parts}).parts] == ["qed", "qed 2", "mine"]
    clashing = [{"property": "qed", "name": name} for name in ("a 2", "a", "a", "a")]
    assert [one.name for one in load_objective({"parts": clashing}).parts] == ["a 2", "a", "a 3", "a 4"]


def test_names_that_are_made_can_be_read_again() -> None:
    long = {
        "elements": [
            "C",
            "N",
            "O",
            "F",
            "S",
            "P",
            "Cl",
            "Br",
            "I",
            "B",
            "Si",
            "Se",
            "As",
            "Ge",
            "Sn",
            "Te",
            "Li",
            "Na",
        ]
    }
    made = load_objective({"parts": [{"property": "qed"}, long, long]})
    assert load_objective(made.document()) == made


@pytest.mark.parametrize(
    ("part", "kind", "said"),
    [
        ({"property": "lgp"}, UnknownNameError, "no property is called 'lgp'; did you mean logp?"),
        ({"proprty": "qed"}, UnknownNameError, "did you mean property?"),
        ({"property": "qed", "wieght": 2}, UnknownNameError, "did you mean weight?"),
        ({"property": "qed", "weight": 0}, RequestError, "weight: Input should be greater than 0"),
        ({"property": "qed", "weight": "much"}, RequestError, "weight: .*valid number"),
        ({"property": "qed", "hard": "yes"}, RequestError, "hard: .*valid boolean"),
        ({"property": "qed", "hard": True, "weight": 2}, RequestError, "a constraint and has no weight"),
        (
            {"property": "qed", "hard": True},
            RequestError,
            "needs a transform such as {kind: step, at_most: 500}",
        ),
        ({"require": "C", "hard": 1}, RequestError, "hard: .*valid boolean"),
        ({"property": "qed", "transform": {"kind": "sigmod"}}, UnknownNameError, "did you mean sigmoid"),
        ({"property": "qed", "transform": {"low": 1}}, RequestError, "a transform has a kind"),
        ({"property": "qed", "transform": "sigmoid"}, RequestError, "a transform has a kind"),
        ({"property": "qed", "transform": None}, RequestError, "transform is empty"),
        (
            {"property": "qed", "transform": {"kind": "gaussian", "mean": 1}},
            RequestError,
            "transform.spread: is required",
        ),
        (
            {"property": "qed", "transform": {"kind": "gaussian", "mean": 1, "sigma": 1}},
            UnknownNameError,
            "known: mean, spread",
        ),
        (
            {"property": "qed", "transform": {"kind": "sigmoid", "low": 3, "high": 1}},
            RequestError,
            "low must be less than high",
        ),
        ({"require": "[#6"}, InputError, "the substructure is not SMARTS"),
        ({"forbid": ["CC", ""]}, InputError, "the substructure is not SMARTS"),
        ({"require": False}, RequestError, "text is needed, got False; put SMILES"),
        ({"require": []}, RequestError, "at least 1 item"),
        ({"similar_to": "C1CC"}, InputError, "the ring 1 is opened and not closed"),
        ({"similar_to": [3]}, RequestError, "SMILES, a list of them or the name of a file"),
        ({"similar_to": "CCO", "fingerprint": "ecfp"}, UnknownNameError, "no fingerprint is called 'ecfp'"),
        ({"similar_to": "CCO", "radius": 9}, RequestError, "radius: "),
        ({"similar_to": "known.smi"}, InputError, "can name no file"),
        ({"activity": "egfr"}, InputError, "can name no file or bundle"),
        ({"alerts": ["paints"]}, UnknownNameError, "did you mean pains?"),
        ({"elements": ["Xx"]}, InputError, "there is no such element"),
        ({"ring_sizes": [2]}, RequestError, "ring_sizes"),
        ({"formula": "c6h6"}, InputError, "the formula cannot be read"),
        ({"formula": "Qq2"}, InputError, "the formula cannot be read"),
        ({"property": "qed", "alerts": "pains"}, RequestError, "one part is about one thing"),
        ({"weight": 1}, RequestError, "says not what it is about"),
        ("qed", RequestError, "a part is written as"),
    ],
)
def test_errors_name_the_part_and_its_place(part: Any, kind: type[IatrosError], said: str) -> None:
    with pytest.raises(kind, match=said) as error:
        load_objective({"parts": [{"property": "qed"}, part]})
    assert "part 2" in (error.value.where or "")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "parts is a list"),
        ({"parts": []}, "parts is a list"),
        ({"parts": "qed"}, "parts is a list"),
        ({"parts": [{"property": "qed"}], "combine": "sum"}, "no way to combine is called 'sum'"),
        ({"part": []}, "did you mean parts?"),
        ({"parts": [{"alerts": "pains"}]}, "every part is a constraint"),
        ({"parts": [{"property": "qed"}], "name": 3}, "a name is text"),
        ({"parts": [{"property": "qed"}] * 101}, "1 to 100 parts"),
    ],
)
def test_errors_of_the_whole(document: dict[str, Any], said: str) -> None:
    with pytest.raises(IatrosError, match=said):
        load_objective(document)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parts:\n  - property: qed\n  - property: logpp\n", "lead.yaml, line 3, part 2"),
        (
            "parts:\n  - property: qed\n    weight: 1\n    weight: 2\n",
            "lead.yaml, line 3: weight is given twice",
        ),
        ("parts: [", "lead.yaml, line 1: this is not YAML"),
        ("parts:\n  - require: [#7]\n", "this is not YAML"),
        ("", "combine and parts are needed"),
        ("- property: qed", "combine and parts are needed"),
        ("parts: !!python/object/apply:os.getcwd []", "this is not YAML"),
        ("a: &a [*a]\nparts: 1", "no field of an objective is called 'a'"),
        ("parts: " + "[" * 1500, "this is not YAML"),
    ],
)
def test_errors_of_a_file(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(IatrosError) as error:
        load_objective(file)
    assert said in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be read"):
        load_objective(tmp_path / "missing.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(RequestError, match="larger than"):
        load_objective(tmp_path / "large.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"parts: \x81\xff\x00")
    with pytest.raises(RequestError, match="not YAML"):
        load_objective(tmp_path / "binary.yaml")


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 9), st.floats(), st.text(max_size=5),
    st.sampled_from(["qed", "logp", "CCO", "c1ccccc1", "[#7]", "step", "sigmoid", "pains", "C6H6", "known.smi", "C"]),
)  # fmt: skip
_NAMES = st.sampled_from(
    [*PARTS, "name", "weight", "hard", "transform", "fingerprint", "radius", "to", "mean"]
)
_TRANSFORMS = st.dictionaries(
    st.sampled_from(["kind", "low", "high", "at_least", "mean", "spread"]), _SCALARS
)
_VALUES = st.one_of(_SCALARS, st.lists(_SCALARS, max_size=3), _TRANSFORMS)


@given(st.lists(st.dictionaries(_NAMES, _VALUES, min_size=1, max_size=4), min_size=1, max_size=2))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_written_is_read_or_refused_in_our_words(parts: list[dict[str, Any]]) -> None:
    try:
        made = load_objective({"parts": [{"property": "qed"}, *parts]})
    except IatrosError as error:
        place = error.where
    else:
        assert load_objective(made.document()).document() == made.document()
        assert all(0.0 <= one.score <= 1.0 for one in made.score(["CCO", "c1ccccc1N", "C"]))
        return
    assert place
