"""The action: what it writes and counts, what it refuses, and that a killed run goes on."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from tests.molecules.optimisers.conftest import START

from iatros.app import molecules
from iatros.core.context import Context, Produced
from iatros.core.errors import InputError, RequestError, UnknownNameError
from iatros.core.request import build
from iatros.molecules.generation_requests import OptimiseRequest
from iatros.molecules.objectives.objective import Objective
from iatros.molecules.optimisers.optimisation import optimise

OBJECTIVE = {
    "name": "near phenacetin",
    "parts": [
        {"property": "qed"},
        {"similar_to": "CCOc1ccc(NC(C)=O)cc1"},
        {"forbid": "[#16]"},
    ],
}
PARAMS = ("graph-ga.start_size=10", "graph-ga.offspring=10")


def _ask(context: Context | None = None, **fields: Any) -> Produced:
    asked = {
        "objective": OBJECTIVE,
        "start": list(START),
        "model": "graph-ga",
        "param": PARAMS,
        "calls": 40,
        **fields,
    }
    return optimise(build(OptimiseRequest, asked), context or Context())  # type: ignore[arg-type]


def _rows(produced: Produced, name: str) -> list[dict[str, str]]:
    content: Any = produced.documents[name]
    file = io.BytesIO()
    if callable(content):
        content(file)
        content = file.getvalue()
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_every_score_is_written_with_its_parts() -> None:
    produced = _ask(top=5)
    result, scored, best = produced.result, _rows(produced, "scored.csv"), _rows(produced, "best.csv")
    ledger = result["ledger"]
    assert ledger["n_calls"] == 40 == sum(bool(row["call"]) for row in scored)
    assert ledger["n_prescreened"] == len(START)
    assert ledger["n_asked"] == ledger["n_calls"] + ledger["n_repeated"] + ledger["n_invalid"]
    assert [row["call"] for row in scored[:40]] == [str(n) for n in range(1, 41)]
    again = {one.smiles: one for one in _objective().score([row["smiles"] for row in scored])}
    for row in scored:
        one = again[row["smiles"]]
        assert float(row["score"]) == one.score
        assert float(row["qed (part)"]) == one.parts["qed"]
        assert float(row["similarity (value)"]) == one.values["similarity"]
        assert row["reason"] == one.reason
    assert [float(row["score"]) for row in best] == sorted(
        (float(row["score"]) for row in best), reverse=True
    )
    assert (
        result["top_1"]
        == float(best[0]["score"])
        == max(float(row["score"]) for row in scored if row["call"])
    )
    assert result["curve"][-1]["calls"] == 40
    assert result["best"][0]["smiles"] == best[0]["smiles"]
    json.dumps(result, allow_nan=False)


def test_the_files_are_for_people() -> None:
    produced = _ask(top=3)
    file = io.BytesIO()
    produced.documents["best.sdf"](file)  # type: ignore[operator]
    assert file.getvalue().count(b"$$$$") == 3
    page: Any = produced.documents["optimisation.html"]
    for said in (b"near phenacetin", b"The ledger", b"charged as all", b"internal diversity", b"<svg"):
        assert said in page


def test_the_same_request_gives_the_same_scores() -> None:
    assert _rows(_ask(), "scored.csv") == _rows(_ask(), "scored.csv") != _rows(_ask(seed=1), "scored.csv")


def test_a_killed_run_goes_on_and_scores_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _ask()
    asked: list[str] = []
    score = Objective.score

    def killed(self: Objective, smiles: Any) -> Any:
        if len(asked) > 30:
            raise KeyboardInterrupt
        asked.extend(smiles)
        return score(self, smiles)

    monkeypatch.setattr(Objective, "score", killed)
    with pytest.raises(KeyboardInterrupt):
        _ask(Context(checkpoint=tmp_path))
    before, asked[:] = list(asked), []
    monkeypatch.setattr(
        Objective, "score", lambda self, smiles: (asked.extend(smiles), score(self, smiles))[1]
    )
    produced = _ask(Context(checkpoint=tmp_path))
    assert len(before) > 0
    assert not set(before) & set(asked)
    assert len({*before, *asked}) == len(before) + len(asked)
    assert _rows(produced, "scored.csv") == _rows(whole, "scored.csv")
    assert produced.result["ledger"]["n_recalled"] == len(before)


def test_a_scaffold_is_rewarded_so_often() -> None:
    produced = _ask(per_scaffold=1, scaffold_threshold=0.1, calls=60)
    rows = [row for row in _rows(produced, "scored.csv") if float(row["score"]) >= 0.1]
    assert produced.result["ledger"]["n_penalised"] == sum(float(row["reward"]) == 0 for row in rows) > 0
    assert (
        produced.result["above_threshold"]["n_compounds"] >= produced.result["above_threshold"]["n_scaffolds"]
    )


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            [{"property": "qed", "transform": {"kind": "step", "at_least": 0.999}}],
            "the score of every compound is 0",
        ),
        ([{"property": "stereocentres", "transform": {"kind": "step", "at_most": 99}}], "is the same"),
        ([{"property": "qed"}, {"require": "[U]"}], "no one of 15 compounds meets the constraint"),
        ([{"property": "qed"}, {"require": "[#7]"}, {"forbid": "[#7]"}], "exclude each other"),
    ],
)
def test_what_cannot_be_searched_is_said_at_once(parts: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        _ask(objective={"parts": parts})
    assert f"on {len(START)} compounds" in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"model": "graphga"}, UnknownNameError, "graph-ga"),
        ({"param": ("graph-ga.greeed=1",)}, RequestError, "greed"),
        ({"param": ("hybrid.sigma=1",)}, RequestError, "hybrid"),
        ({"start": None}, RequestError, "give start"),
        ({"calls": 0}, RequestError, "calls"),
        ({"objective": {"parts": [{"property": "qedd"}]}}, UnknownNameError, "qed"),
        ({"objective": "nowhere.yaml"}, RequestError, "cannot be read"),
    ],
)
def test_wrong_requests_are_refused(fields: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        _ask(**fields)


def test_through_the_door_with_a_file_and_a_checkpoint(tmp_path: Path) -> None:
    import yaml

    (tmp_path / "wanted.yaml").write_text(yaml.safe_dump(OBJECTIVE))
    (tmp_path / "start.smi").write_text("\n".join(START))
    result = molecules.optimise(
        tmp_path / "wanted.yaml", start=tmp_path / "start.smi", model="graph-ga", param=PARAMS, calls=30,
        out=tmp_path / "out", resume=True, engine="serial",
    )  # fmt: skip
    assert result["objective"]["name"] == "near phenacetin"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "scored.csv", "best.csv", "best.sdf", "optimisation.html", "result.json",
    }  # fmt: skip
    assert not (tmp_path / "out.checkpoint").exists()


def test_only_what_can_be_taken_up_again_offers_to() -> None:
    from iatros.app.domains import load_domain
    from iatros.cli.flags import signature
    from iatros.core.domain import load

    domain = load_domain("molecules")
    offers = {
        action.name: "resume" in signature(load(action.request), action).parameters  # type: ignore[arg-type]
        for action in domain.actions
    }
    assert {name for name, offered in offers.items() if offered} == {"train", "optimise"}


def _objective() -> Objective:
    from iatros.molecules.objectives.reading import load_objective

    return load_objective(OBJECTIVE)
