"""The ledger: what is charged, where a batch is cut, and that a killed run scores nothing twice."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.molecules.optimisers.scorers import Carbons, Said

from iatros.core.context import Context
from iatros.core.engine import SerialEngine
from iatros.molecules.optimisers.diversity import ScaffoldFilter
from iatros.molecules.optimisers.ledger import Budget, Ledger
from iatros.molecules.optimisers.record import Record


def test_what_is_asked_is_counted_once_in_one_place() -> None:
    objective = Carbons()
    ledger = Ledger(objective, Budget(100))
    answers = ledger.ask(["CCO", "OCC", "C1CC", "CCF", "CC", "CCO", ""])
    counts = ledger.counts
    assert answers.smiles == ["CCO", "CCO", "", "CCF", "CC", "CCO", ""]
    np.testing.assert_array_equal(answers.fresh, [True, False, False, True, True, False, False])
    np.testing.assert_allclose(answers.scores, [2 / 3, 2 / 3, np.nan, np.nan, 1, 2 / 3, np.nan])
    np.testing.assert_allclose(answers.rewards, [2 / 3, 2 / 3, 0, 0, 1, 2 / 3, 0])
    assert (counts.asked, counts.calls, counts.repeated, counts.invalid, counts.without_score) == (
        7,
        3,
        2,
        2,
        1,
    )
    assert counts.asked == counts.calls + counts.repeated + counts.invalid
    assert objective.asked == ["CCO", "CCF", "CC"]
    assert [row.call for row in ledger.rows.values()] == [1, 2, 3]
    assert [row.scored.smiles for row in ledger.best(5)] == ["CC", "CCO"]


def test_a_batch_is_cut_where_the_budget_ends() -> None:
    ledger = Ledger(Carbons(), Budget(3))
    answers = ledger.ask(["C", "xx", "C", "CC", "CCC", "C", "CCCC", "CCCCC"])
    assert ledger.counts.calls == 3
    assert ledger.over
    assert answers.cut == 2
    assert answers.smiles == ["C", "", "C", "CC", "CCC", "C", "", ""]
    assert ledger.ask(["CCCCCC"]).cut == 1
    assert "CCCCCC" not in ledger.rows


def test_every_text_can_be_charged() -> None:
    ledger = Ledger(Carbons(), Budget(5, charge="all"))
    ledger.prescreen(["CO", "CN"])
    answers = ledger.ask(["C", "xx", "C", "CC"])
    assert (ledger.charged, answers.cut, ledger.over) == (5, 1, True)
    assert (ledger.counts.calls, ledger.counts.invalid, ledger.counts.repeated) == (1, 1, 1)


def test_a_prescreened_compound_is_a_call_when_it_is_asked_for() -> None:
    objective = Carbons()
    ledger = Ledger(objective, Budget(5))
    ledger.prescreen(["CCO", "CC"])
    assert (ledger.counts.prescreened, ledger.counts.calls, ledger.left) == (2, 0, 5)
    assert ledger.best(5) == []
    assert [row.scored.smiles for row in ledger.best(5, prescreened=True)] == ["CC", "CCO"]
    assert ledger.ask(["OCC"]).fresh.tolist() == [True]
    assert (ledger.counts.calls, ledger.history) == (1, [2 / 3])
    assert objective.asked == ["CCO", "CC"]


@given(
    st.lists(st.sampled_from(["C", "CC", "CCC", "OC", "CO", "nope", "CCF", ""]), max_size=30),
    st.integers(1, 6),
)
def test_counts_add_up_and_the_budget_is_never_passed(texts: list[str], calls: int) -> None:
    ledger = Ledger(Carbons(), Budget(calls))
    answers = ledger.ask(texts)
    counts = ledger.counts
    assert counts.calls <= calls
    assert counts.asked == counts.calls + counts.repeated + counts.invalid == len(texts) - answers.cut
    assert counts.calls == len(ledger.history) == len(ledger.rows) == int(answers.fresh.sum())
    assert (answers.cut == 0) or ledger.over


def test_time_ends_a_search() -> None:
    class Slow(Carbons):
        def score(self, smiles: list[str]) -> list[Said]:  # type: ignore[override]
            ledger._clock.before += 600.0  # as if it had taken ten minutes
            return super().score(smiles)

    ledger = Ledger(Slow(), Budget(10_000, seconds=1000.0))
    answers = ledger.ask(["C" * n for n in range(1, 400)])
    assert ledger.over
    assert ledger.counts.calls == 256, "two pieces of 128"
    assert answers.cut == 399 - 256


def test_stereochemistry_is_left_out_unless_it_is_wanted() -> None:
    mirrored = ["C[C@H](N)O", "C[C@@H](N)O", "F/C=C/Cl"]
    assert Ledger(Carbons(), Budget(9)).ask(mirrored).smiles == ["CC(N)O", "CC(N)O", "FC=CCl"]
    assert len(set(Ledger(Carbons(), Budget(9), stereo=True).ask(mirrored).smiles)) == 3


def test_a_killed_run_takes_up_its_scores(tmp_path: Path) -> None:
    first = Carbons()
    ledger = Ledger(first, Budget(100), record=Record(tmp_path))
    ledger.ask(["CCO", "CCF", "CC"])
    path = tmp_path / "scored.jsonl"
    path.write_bytes(
        path.read_bytes() + b'{"smiles": "CCC", "sco'
    )  # as a kill in the middle of a line leaves it
    again = Carbons()
    ledger = Ledger(again, Budget(100), record=Record(tmp_path))
    answers = ledger.ask(["OCC", "CC", "CCC", "CCF"])
    assert again.asked == ["CCC"]
    np.testing.assert_allclose(answers.scores, [2 / 3, 1, 1, np.nan])
    assert ledger.counts.recalled == 3
    assert ledger.rows["CCF"].scored.reason == "share has no value"
    assert [json.loads(line)["smiles"] for line in path.read_text().splitlines()] == [
        "CCO",
        "CCF",
        "CC",
        "CCC",
    ]


def test_scores_of_another_objective_are_not_taken_up(tmp_path: Path) -> None:
    Ledger(Carbons(), record=Record(tmp_path, "one")).ask(["CCO"])
    other = Carbons()
    Ledger(other, record=Record(tmp_path, "other")).ask(["CCO"])
    assert other.asked == ["CCO"]


def test_time_before_a_kill_counts_and_the_pause_does_not(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.add({"C": Said("C", 1.0, {}, {})}, 40.0)
    record.close()
    ledger = Ledger(Carbons(), Budget(10, seconds=60.0), record=Record(tmp_path))
    ledger.ask(["C"])
    assert 40.0 <= ledger.seconds < 41.0


def test_slow_objectives_are_shared_among_the_workers() -> None:
    class Two(SerialEngine):
        workers = 2
        parts: ClassVar[list[int]] = []

        def map(self, function, items, shared, *, progress, label):  # type: ignore[no-untyped-def]
            self.parts.append(len(items))
            return super().map(function, items, shared, progress=progress, label=label)

    class Slow(Carbons):
        def score(self, smiles: list[str]) -> list[Said]:  # type: ignore[override]
            time.sleep(0.006 * len(smiles))
            return super().score(smiles)

    engine = Two()
    ledger = Ledger(Slow(), Budget(100), context=Context(engine=engine))
    plain = Ledger(Carbons(), Budget(100))
    for texts in (["C", "CC"], ["CO", "CCO", "CCCO"]):
        np.testing.assert_array_equal(ledger.ask(texts).scores, plain.ask(texts).scores)
    assert engine.parts == [2]


def test_a_full_bucket_gives_no_reward_but_the_score_is_kept() -> None:
    ledger = Ledger(Carbons(), Budget(10), diversity=ScaffoldFilter(bucket=2, threshold=0.5))
    answers = ledger.ask(["Cc1ccccc1", "CCc1ccccc1", "CCCc1ccccc1", "CC1CCCCC1", "Oc1ncncn1", "Cc1ccccc1"])
    np.testing.assert_allclose(answers.rewards, [1, 1, 0, 1, 3 / 7, 1])
    np.testing.assert_allclose(answers.scores, [1, 1, 1, 1, 3 / 7, 1])
    assert ledger.diversity is not None
    assert ledger.diversity.n_penalised == 1


def test_what_a_model_writes_in_vain_is_counted() -> None:
    ledger = Ledger(Carbons(), Budget(10))
    ledger.ask(["CCO"])
    assert ledger.sift(["OCC", "CC", "C1C", "CC", "CN"]) == ["CC", "CN"]
    ledger.pass_over(1)
    ledger.ask(["CN"], canonical=True)
    counts = ledger.counts
    assert (counts.asked, counts.calls, counts.repeated, counts.invalid, counts.passed_over) == (
        5,
        2,
        2,
        1,
        1,
    )
    assert ledger.charged_at == [1, 5]
    charged = Ledger(Carbons(), Budget(3, charge="all"))
    assert charged.sift(["nope", "nope", "nope", "CC"]) == []
    assert charged.over


def test_who_watches_is_told_once() -> None:
    told: list[int] = []
    ledger = Ledger(Carbons(), Budget(500))
    ledger.watch(3, lambda one: told.append(one.counts.calls))
    ledger.ask(["C", "CC"])
    assert told == []
    ledger.ask(["CCC", "CCCC"])
    ledger.ask(["CCCCC"])
    assert told == [4]


def test_no_score_is_never_the_best() -> None:
    ledger = Ledger(Carbons(), Budget(5))
    ledger.ask(["CF", "O"])
    assert [row.scored.smiles for row in ledger.best(5)] == ["O"]
    assert math.isnan(ledger.history[0])
