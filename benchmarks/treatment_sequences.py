"""The next medications from visits in time: simulated visits with known rules, and two small real collections.

`python -m benchmarks.treatment_sequences [simulated|penalty|mimic|eicu]` prints the lines of its parts. The simulated
part asks whether the networks learn an order of events that no sum over codes can follow; the real ones, of about 100
patients each, are shown: they are too few to tell models apart.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import data
from benchmarks.results import Line
from iatros.core.context import Context
from iatros.treatment.sequences.actions import train_sequences
from iatros.treatment.sequences.settings import SequenceSettings
from iatros.treatment.sequences.simulation import simulate_visits
from iatros.treatment.sequences.sources import Columns

_SUBJECTS = 1000
_COMMAND = "python -m benchmarks.run treatment"
_OF_SIMULATION = Columns(visit="visit", time="day")


def simulated(_: Path) -> tuple[list[Line], dict[str, Any]]:
    """Networks beside the baselines on simulated visits, held-out subjects; the rules themselves as the limit."""
    sim = simulate_visits(_SUBJECTS, seed=0)
    result, seconds = _trained(
        SequenceSettings("gru", also={"cnn": {}}), sim.rows, _OF_SIMULATION, covariates=sim.subjects,
        interactions=sim.interactions,
    )  # fmt: skip
    limit = _by_the_rules(sim.rows, sim.ideal)
    said = f"simulated, {_SUBJECTS:,} subjects; the rules themselves reach {limit:.3f} over all subjects"
    lines = []
    for name in ("gru", "cnn"):
        own = _of(result, name)
        gaps = {other: own["differences"][other]["jaccard"] for other in ("previous", "logistic")}
        told = ", ".join(f"{other} {_said(gap, sign='+')}" for other, gap in gaps.items())
        lines.append(
            Line(f"Jaccard index, {name}", said, "above previous and logistic",
                 f"{_said(own['metrics']['jaccard'])}; less {told}", all(gap["low"] > 0 for gap in gaps.values()),
                 f"{_COMMAND} sequences-simulated", f"all models {seconds:.0f} s of processor time")
        )  # fmt: skip
    control = result["conformal"]
    lines.append(
        Line("share of known medications missed by the sets with a promise", said, "at most 0.1",
             f"{_said(control['reached'])}, {control['mean_size']['value']:.1f} of {control['n_medications']}",
             control["reached"]["low"] <= 0.1, f"{_COMMAND} sequences-simulated")
    )  # fmt: skip
    return lines, {"result": _kept(result), "limit": limit}


def penalty(_: Path) -> tuple[list[Line], dict[str, Any]]:
    """What the weight of the interaction penalty changes, on the simulated visits."""
    sim = simulate_visits(_SUBJECTS, seed=0)
    found = {}
    for weight in (0.0, 0.1, 1.0, 5.0):
        settings = SequenceSettings("gru", {"interaction_weight": weight, "members": 1}, n_bootstrap=200)
        result = _trained(
            settings, sim.rows, _OF_SIMULATION, covariates=sim.subjects, interactions=sim.interactions
        )[0]
        found[weight] = {name: result["metrics"]["held_out"][name] for name in
                         ("jaccard", "interaction_rate", "interaction_rate_prescribed")}  # fmt: skip
    told = "; ".join(
        f"{weight:g}: {_said(one['interaction_rate'], digits=4)} at Jaccard {one['jaccard']['value']:.3f}"
        for weight, one in found.items()
    )
    rates = [one["interaction_rate"]["value"] for one in found.values()]
    prescribed = found[0.0]["interaction_rate_prescribed"]["value"]
    line = Line(
        "interaction rate of predicted sets, by the weight of the penalty",
        f"simulated, {_SUBJECTS:,} subjects, one network each; prescribed {prescribed:.4f}", "falls with the weight",
        told, rates[-1] < rates[0], f"{_COMMAND} sequences-penalty",
    )  # fmt: skip
    return [line], {str(weight): one for weight, one in found.items()}


def mimic(_: Path) -> tuple[list[Line], dict[str, Any]]:
    """MIMIC-III's demonstration: 100 patients, 129 admissions, medications by their name."""
    folder = data.SHARED / "mimic3_demo"
    tables = {
        "diagnosis": _read(folder / "DIAGNOSES_ICD.csv.gz").select("subject_id", "hadm_id", code="icd9_code"),
        "procedure": _read(folder / "PROCEDURES_ICD.csv.gz").select(
            "subject_id", "hadm_id", code="icd9_code"
        ),
        "medication": _read(folder / "PRESCRIPTIONS.csv.gz").select(
            "subject_id", "hadm_id", code=pl.col("drug").str.to_lowercase().str.strip_chars()
        ),
    }
    visits = _read(folder / "ADMISSIONS.csv.gz").select("subject_id", "hadm_id", "admittime")
    covariates = _read(folder / "PATIENTS.csv.gz").select("subject_id", "gender")
    columns = Columns(visit="hadm_id", time="admittime")
    return _real("mimic", "MIMIC-III demonstration", tables, columns, visits, covariates)


def eicu(_: Path) -> tuple[list[Line], dict[str, Any]]:
    """A part of eICU's demonstration: 101 patients, 178 stays, medications by ingredient (HICL).

    Stays are ordered by the year and their number within the hospital stay; of hospital stays in one year the order is
    not published.
    """
    folder = data.SHARED / "eicu_demo_subset"
    stays = _read(folder / "patient.csv.gz")
    order = pl.col("hospitaldischargeyear").fill_null("2015").cast(pl.Float64) * 100
    visits = stays.select(
        "uniquepid", "patientunitstayid", order=order + pl.col("unitvisitnumber").cast(pl.Float64)
    )
    owner = stays.select("uniquepid", "patientunitstayid")
    diagnosis = _read(folder / "diagnosis.csv.gz").select(
        "patientunitstayid",
        code=pl.col("icd9code").fill_null(pl.col("diagnosisstring")).str.split(",").list.first(),
    )
    medication = (
        _read(folder / "medication.csv.gz")
        .select("patientunitstayid", code="drughiclseqno")
        .filter(pl.col("code") != "0")
    )
    tables = {kind: part.drop_nulls().join(owner, on="patientunitstayid") for kind, part in
              (("diagnosis", diagnosis), ("medication", medication))}  # fmt: skip
    columns = Columns(subject="uniquepid", visit="patientunitstayid", time="order")
    covariates = stays.select("uniquepid", "gender", pl.col("age").str.replace("> 89", "90").cast(pl.Float64))
    covariates = covariates.unique("uniquepid", keep="first", maintain_order=True)
    return _real("eicu", "eICU demonstration, a part", tables, columns, visits, covariates)


PARTS = {"simulated": simulated, "penalty": penalty, "mimic": mimic, "eicu": eicu}


def _real(
    part: str,
    named: str,
    tables: dict[str, pl.DataFrame],
    columns: Columns,
    visits: pl.DataFrame,
    covariates: pl.DataFrame,
) -> tuple[list[Line], dict[str, Any]]:
    """Five folds over patients, every model on the same visits; nothing is asked of so few."""
    settings = SequenceSettings("gru", also={"cnn": {}}, validation="cross-validation", min_subjects=5)
    result, seconds = _trained(settings, tables, columns, visits=visits, covariates=covariates)
    told = "; ".join(
        f"{one['name']} {_said(one['metrics']['jaccard'])}, PRAUC {one['metrics']['prauc']['value']:.3f}"
        for one in result["models"]
    )
    said = f"{named}, {result['n_subjects']} patients, {result['n_asked']} visits, five folds"
    gap = _of(result, "gru")["differences"]["logistic"]["jaccard"]
    lines = [
        Line("Jaccard index of the next medications", said, "shown", told, True, f"{_COMMAND} sequences-{part}",
             f"{result['outside_percent']:.0f} % of prescriptions are of medications with under 5 patients, counted as "
             f"missed; {seconds:.0f} s"),
        Line("gru less logistic", said, "shown", _said(gap, sign="+"), True, f"{_COMMAND} sequences-{part}",
             "too few patients to tell models apart"),
    ]  # fmt: skip
    return lines, {"result": _kept(result)}


def _trained(
    settings: SequenceSettings, table: Any, columns: Columns, **more: Any
) -> tuple[dict[str, Any], float]:
    """The result of a training, and the processor time that it took."""
    begun = time.process_time()
    result = train_sequences(settings, table, columns, Context(), **more).result
    return result, time.process_time() - begun


def _by_the_rules(rows: list[dict[str, Any]], ideal: dict[tuple[str, int], frozenset[str]]) -> float:
    """The mean Jaccard index of what the rules ask for, over visits with a medication."""
    given: dict[tuple[str, int], set[str]] = {}
    for row in rows:
        if row["kind"] == "medication":
            given.setdefault((row["subject_id"], row["visit"]), set()).add(row["code"])
    return sum(len(own & ideal[key]) / len(own | ideal[key]) for key, own in given.items()) / len(given)


def _read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema_length=0)


def _of(result: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in result["models"] if one["name"] == name)
    return found


def _kept(result: dict[str, Any]) -> dict[str, Any]:
    names = (
        "models",
        "conformal",
        "splits",
        "vocabulary",
        "outside_percent",
        "n_subjects",
        "n_asked",
        "versions",
    )
    return {name: result[name] for name in names}


def _said(metric: dict[str, Any], *, digits: int = 3, sign: str = "") -> str:
    low, high = metric["low"], metric["high"]
    return f"{metric['value']:{sign}.{digits}f} [{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"


if __name__ == "__main__":
    for chosen in sys.argv[1:] or list(PARTS):
        for one in PARTS[chosen](Path())[0]:
            print(f"{one.what} | {one.data} | {one.asked} | {one.measured} | {one.note}", flush=True)
