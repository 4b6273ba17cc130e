"""A tree told in the words of its table, and given back as a rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.learners.tabular.encoding import fit_encode
from iatros.learners.tabular.imputation import fit_imputers
from iatros.learners.tabular.reading import read_table
from iatros.treatment.policies.grammar import parse
from iatros.treatment.policies.rules import assign
from iatros.treatment.policies.trees import Leaf, PolicyTree, Split, fit_tree
from iatros.treatment.policies.wording import Feature, expression, features_of, in_units, lines

ARMS = ("zidovudine", "didanosine", "both (ZDV + ddI)")


def test_numbers() -> None:
    x = np.array([[210.0], [350.0], [190.0], [500.0]])
    scores = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
    tree = fit_tree(x, scores, ("cd4",), ARMS[:2], depth=1)
    assert lines(tree) == [
        "cd4 at most 280:",
        "    didanosine (n = 2)",
        "cd4 above 280:",
        "    zidovudine (n = 2)",
    ]
    assert expression(tree) == "cd4 <= 280.0 -> didanosine, else zidovudine"
    assert lines(tree, [Feature("cd4", fill=300.0)])[2] == "cd4 above 280 or missing:"
    assert expression(tree, [Feature("cd4", fill=300.0)]).startswith("not missing(cd4) and cd4 <= 280.0 ->")


@pytest.mark.parametrize(
    ("feature", "cut", "low", "high", "condition"),
    [
        (Feature("sex", "level", "f"), 0.5, "sex is not f", "sex is f", "sex != f"),
        (Feature("sex", "level", "f", gaps=True), 0.5, "sex is not f", "sex is f", "(missing(sex) or sex != f)"),
        (Feature("ward", "other", levels=("a 1", "b")), 0.5, "ward is known among a 1, b", "ward is none of these",
         'ward in ("a 1", b)'),
        (Feature("my age", "missing"), 0.5, "my age is known", "my age is missing", 'not missing("my age")'),
        (Feature("stage", "rank", levels=("I", "II", "III")), 1.5, "stage is I or II", "stage is III",
         "stage in (I, II)"),
        (Feature("visit", "date", fill=99.0), 365.5, "visit at most 1971-01-01 or missing", "visit above 1971-01-01",
         "(missing(visit) or visit <= 365.5)"),
    ],
)  # fmt: skip
def test_other_kinds(feature: Feature, cut: float, low: str, high: str, condition: str) -> None:
    tree = PolicyTree(Split(0, cut, Leaf(1, 4), Leaf(2, 3)), ("x",), ARMS, 0.0)
    told = lines(tree, [feature])
    assert (told[0], told[2]) == (f"{low}:", f"{high}:")
    assert expression(tree, [feature]) == f'{condition} -> didanosine, else "both (ZDV + ddI)"'
    parse(expression(tree, [feature]))


def test_no_question() -> None:
    tree = PolicyTree(Leaf(2, 9), ("x",), ARMS, 0.0)
    assert lines(tree) == ["both (ZDV + ddI) (n = 9)"]
    assert expression(tree) == 'else "both (ZDV + ddI)"'


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 2]))
def test_the_rule_gives_the_arms_of_the_tree(seed: int, depth: int) -> None:
    """Through scaled, filled and one-hot features of a table with gaps, and back to its columns."""
    rng = np.random.default_rng(seed)
    n = 80
    table = read_table(
        [
            {
                "cd4 (cells)": None if rng.random() < 0.15 else round(float(rng.gamma(4, 90)), 1),
                "age": int(rng.integers(18, 80)),
                "sex": str(rng.choice(["f", "m", "not told"])) if rng.random() < 0.9 else None,
                "ward": str(rng.choice(["north", "south", "east"])),
            }
            for _ in range(n)
        ]
    )
    encoder, encoded = fit_encode(table, categories="one-hot", scale=True, indicator=True)
    _, X = fit_imputers("simple", encoded)[0]
    centre, scale = encoder.centre, encoder.scale
    features = features_of(encoder, encoded * scale + centre, X * scale + centre)
    assert [feature.column for feature in features] == encoder.sources
    tree = fit_tree(X, rng.normal(size=(n, 3)), encoder.names, ARMS, depth=depth)
    rule = parse(expression(in_units(tree, centre, scale), features))
    columns = {name: table.column(name) for name in table.schema.names}
    assert assign(rule, columns, ARMS, n=n).tolist() == tree.assign(X).tolist()
