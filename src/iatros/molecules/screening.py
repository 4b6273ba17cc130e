"""The action `screen`: the best compounds of a library, read once and in bounded memory, and a diverse choice."""

from __future__ import annotations

import heapq
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from iatros.core.bundle import Bundle, open_bundle
from iatros.core.context import Context, Produced
from iatros.core.delimited import csv_line, csv_text
from iatros.core.errors import InputError, MissingExtraError, TableError, unknown_name
from iatros.molecules.diverse import mark_diverse
from iatros.molecules.questions import refuse_pairs
from iatros.molecules.schema import BLANK, Entry
from iatros.molecules.sdf import sdf_record
from iatros.molecules.search_requests import ScreenRequest
from iatros.molecules.sources import open_compounds
from iatros.molecules.sources.columns import Wanted

if TYPE_CHECKING:
    from iatros.molecules.curation.standardising import Rules, Standard
    from iatros.molecules.scoring import ActivityModel

FIRST_REFUSED = 20
SHOWN = 100
"""Most compounds that the result lists; the documents have all that were kept."""


@dataclass(frozen=True)
class Judge:
    """How a worker ranks: by an endpoint of the bundle at `path`, which it opens itself and once, or by `like`."""

    rules: Rules
    path: str = ""
    sha256: str = ""
    column: int = 0
    like: str = ""


class Candidate(NamedTuple):
    """A compound that was judged: what ranks it, and what is said of it; `low` and `high` may be unknown."""

    value: float
    smiles: str
    flags: tuple[str, ...]
    low: float | None = None
    high: float | None = None
    held: str = ""
    spread: float | None = None
    similarity: float | None = None
    inside: bool = True
    outside: str = ""


def screen(request: ScreenRequest, context: Context) -> Produced:
    """`best`, the best first, of which at most the first 100 are in the result and all in the documents.

    `n_lines` = `n_blank_lines` + `n_refused` + `n_left_out` + `n_ranked`. A compound that stands on several lines is
    kept once, with the first of them. `diverse` names the ranks that were picked, in the order of picking.
    """
    for package in ("rdkit", "numba"):
        if find_spec(package) is None:
            raise MissingExtraError(
                f"molecules need the package {package}", hint="pip install 'iatros[molecules]'"
            )
    from iatros.molecules.curation.batching import in_batches

    bundle = None if request.bundle is None else open_bundle(request.bundle)
    if bundle is not None:
        refuse_pairs(bundle, "a library holds compounds, and no protein to rank them for")
    judge, score_name = _judge(request, bundle)
    source = open_compounds(request.library, Wanted(request.smiles, request.identifier))
    account = _Account(context.scratch.folder() / "refused.csv")
    best = Best(request.top, high=request.order == "high")
    with context.progress.step("lines") as step, account:
        for entries, found in in_batches(judged, judge, source.entries, context.engine):
            for entry, one in zip(entries, found, strict=True):
                if account.takes(entry, one, request):
                    assert isinstance(one, Candidate)
                    best.add(entry, one)
            step.advance(len(entries))
    if account.n_lines == account.n_blank:
        raise TableError("holds no compounds", where=source.name, hint="one compound a line is needed")
    rows = _rows(best.ranked(), request, score_name)
    picked = mark_diverse(rows, request.diverse)
    result: dict[str, Any] = {
        "domain": "molecules",
        "source": source.name,
        "format": source.format,
        "ranked_by": score_name,
        "bundle_sha256": None if bundle is None else bundle.manifest_sha256,
        **account.document(),
        "n_kept": len(rows),
        "best": rows[:SHOWN],
        "diverse": picked,
        "notes": [*source.notes, *_notes(request, account, rows)],
    }
    return Produced(result, documents=_documents(rows, account.path))


def _judge(request: ScreenRequest, bundle: Bundle | None) -> tuple[Judge, str]:
    """How workers rank, and what the number is called."""
    from iatros.molecules.curation.standardising import Rules
    from iatros.molecules.fishing.pairs import standard_forms
    from iatros.molecules.scoring import ActivityModel

    if bundle is None:
        assert request.like is not None
        ((smiles, reason),) = standard_forms(None, [(request.like, False)])
        if reason:
            raise InputError(reason, where="like")
        return Judge(Rules(), like=smiles), "similarity"
    model = ActivityModel.from_bundle(bundle)
    names = [target.name for target in model.endpoints]
    if request.endpoint is None and len(names) > 1:
        raise InputError(
            f"the model has several endpoints: {', '.join(names)}", hint="name one with endpoint"
        )
    if request.endpoint is not None and request.endpoint not in names:
        raise unknown_name("endpoint", request.endpoint, names)
    column = 0 if request.endpoint is None else names.index(request.endpoint)
    rules = Rules(**bundle.manifest["standardisation"])
    judge = Judge(rules, str(request.bundle), bundle.manifest_sha256, column)
    return judge, "probability" if model.binary else "prediction"


def judged(judge: Judge, entries: list[Entry]) -> list[Candidate | str]:
    """Each entry as a candidate, or why it is none; what a worker runs."""
    from rdkit import rdBase

    from iatros.learners.compounds.compounds import Compounds

    with rdBase.BlockLogs():
        found = [entry.refusal or _standard(judge.rules, entry) for entry in entries]
    flags = {one.smiles: one.flags for one in found if not isinstance(one, str)}
    if not flags:
        return [one for one in found if isinstance(one, str)]
    compounds = Compounds(list(flags))
    made = _by_similarity(judge, compounds) if judge.like else _by_model(judge, compounds)
    of = {one.smiles: one._replace(flags=flags[one.smiles]) for one in made}
    return [one if isinstance(one, str) else of[one.smiles] for one in found]


def _standard(rules: Rules, entry: Entry) -> Standard | str:
    """The standard form of an entry, or why it has none; no InChI is made, which takes as long as all the rest."""
    from iatros.molecules.curation.parsing import StructureError, parse
    from iatros.molecules.curation.standardising import standardise

    try:
        return standardise(parse(entry.structure, molblock=entry.molblock), rules)
    except StructureError as error:
        return str(error)
    except (RuntimeError, ValueError):  # what RDKit raises where its own checks fail
        return "the structure cannot be processed"


def _by_similarity(judge: Judge, compounds: Any) -> Iterator[Candidate]:
    from iatros.learners.compounds.compounds import Compounds
    from iatros.learners.compounds.fingerprints import Fingerprint
    from iatros.learners.compounds.tanimoto import similarities

    query = Compounds([judge.like]).values(Fingerprint())
    for smiles, value in zip(
        compounds.smiles, similarities(query, compounds.values(Fingerprint()))[0].tolist(), strict=True
    ):
        yield Candidate(value, smiles, (), similarity=value)


def _by_model(judge: Judge, compounds: Any) -> Iterator[Candidate]:
    model, k = _model(judge.path, judge.sha256), judge.column
    answers = model.answer(compounds)
    classes = model.endpoints[k].classes
    for row, smiles in enumerate(compounds.smiles):
        low, high = float(answers.low[row, k]), float(answers.high[row, k])
        held = " | ".join(name for name, there in zip(classes, answers.held[row, k], strict=False) if there)
        similarity = float(answers.similarity[row])
        yield Candidate(
            float(answers.value[row, k]),
            smiles,
            (),
            low if np.isfinite(low) else None,
            high if np.isfinite(high) else None,
            held,
            float(answers.spread[row, k]),
            similarity if np.isfinite(similarity) else None,
            bool(answers.inside[row]),
            answers.reasons[row],
        )


@lru_cache(maxsize=1)
def _model(path: str, sha256: str) -> ActivityModel:
    """The model in the bundle at `path`, opened once in each process; InputError where it is another one by now."""
    from iatros.molecules.scoring import ActivityModel

    bundle = open_bundle(Path(path))
    if bundle.manifest_sha256 != sha256:
        raise InputError("the bundle was replaced while it was in use", where=bundle.name)
    return ActivityModel.from_bundle(bundle)


class Best:
    """The best `n` different compounds so far, in memory for these alone.

    Of equally good ones the earlier is better. A compound that comes again is as good as before and later, so it never
    takes a second place: either it is still held, or those that pushed it out are better.
    """

    def __init__(self, n: int, *, high: bool) -> None:
        self._n, self._sign = n, 1.0 if high else -1.0
        self._heap: list[tuple[float, int, Entry, Candidate]] = []
        self._held: set[str] = set()
        self._n_seen = 0

    def add(self, entry: Entry, one: Candidate) -> None:
        """Take in a candidate; entries come in the order of the library."""
        self._n_seen += 1
        item = (self._sign * one.value, -self._n_seen, entry._replace(structure=""), one)
        if one.smiles in self._held or (len(self._heap) == self._n and item < self._heap[0]):
            return
        self._held.add(one.smiles)
        if len(self._heap) < self._n:
            heapq.heappush(self._heap, item)
        else:
            self._held.discard(heapq.heapreplace(self._heap, item)[3].smiles)

    def ranked(self) -> list[tuple[Entry, Candidate]]:
        """The best first."""
        return [(entry, one) for _, _, entry, one in sorted(self._heap, reverse=True)]


class _Account:
    """What became of every line: counts, and refused lines in a file on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_lines = self.n_blank = self.n_refused = self.n_left_out = self.n_ranked = self.n_outside = 0
        self.reasons: Counter[str] = Counter()
        self.first: list[dict[str, Any]] = []

    def __enter__(self) -> _Account:
        self._file = self.path.open("w", encoding="utf-8", newline="")
        self._file.write(csv_line(("line", "name", "reason")))
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def takes(self, entry: Entry, one: Candidate | str, request: ScreenRequest) -> bool:
        """Count a line; whether its compound is to be ranked."""
        self.n_lines += 1
        if one == BLANK:
            self.n_blank += 1
            return False
        if isinstance(one, str):
            self.n_refused += 1
            self.reasons[one.partition(":")[0]] += 1
            self._file.write(csv_line((entry.line, entry.name, one)))
            if len(self.first) < FIRST_REFUSED:
                self.first.append({"line": entry.line, "reason": one})
            return False
        self.n_outside += not one.inside
        far = one.similarity is not None and one.similarity < request.min_similarity
        if far or (request.domain == "only" and not one.inside):
            self.n_left_out += 1
            return False
        self.n_ranked += 1
        return True

    def document(self) -> dict[str, Any]:
        """The counts of the result."""
        return {
            "n_lines": self.n_lines,
            "n_blank_lines": self.n_blank,
            "n_refused": self.n_refused,
            "n_left_out": self.n_left_out,
            "n_ranked": self.n_ranked,
            "n_outside_domain": self.n_outside,
            "reasons": dict(sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))),
            "refused": self.first,
        }


def _rows(
    best: list[tuple[Entry, Candidate]], request: ScreenRequest, score_name: str
) -> list[dict[str, Any]]:
    from rdkit import Chem

    from iatros.molecules.curation.alerts import alerts

    sets = () if "none" in request.alerts else tuple(dict.fromkeys(request.alerts))
    rows = []
    for rank, (entry, one) in enumerate(best, start=1):
        row: dict[str, Any] = {
            "rank": rank,
            "name": entry.name,
            "line": entry.line,
            "smiles": one.smiles,
            score_name: one.value,
        }
        if request.like is None:
            if score_name == "prediction":
                row |= {"low": one.low, "high": one.high}
            else:
                row["conformal_set"] = one.held
            row |= {
                "spread": one.spread,
                "similarity": one.similarity,
                "in_domain": one.inside,
                "outside_because": one.outside,
            }
        row["flags"] = "; ".join(one.flags)
        row["alerts"] = "; ".join(alerts(Chem.MolFromSmiles(one.smiles), sets)) if sets else ""
        rows.append({**row, "diverse": None})
    return rows


def _documents(rows: list[dict[str, Any]], refused: Path) -> dict[str, Any]:
    def sdf(file: BinaryIO) -> None:
        for row in rows:
            file.write(sdf_record(row).encode())

    def lines(file: BinaryIO) -> None:
        with refused.open("rb") as read:
            shutil.copyfileobj(read, file, 1 << 20)

    table = {column: [row[column] for row in rows] for column in (rows[0] if rows else ("rank",))}
    return {"best.csv": csv_text(table).encode(), "best.sdf": sdf, "refused.csv": lines}


def _notes(request: ScreenRequest, account: _Account, rows: list[dict[str, Any]]) -> list[str]:
    kept = (
        f"{account.n_ranked:,} of {account.n_lines - account.n_blank:,} lines were ranked, {len(rows):,} kept"
    )
    notes = [kept]
    if account.n_refused:
        listed = ", ".join(f"{name} {n:,}" for name, n in account.document()["reasons"].items())
        notes.append(f"refused: {listed}")
    if account.n_left_out:
        notes.append(f"{account.n_left_out:,} compounds were left out by min_similarity or domain")
    outside = sum(row.get("in_domain") is False for row in rows)
    if outside:
        notes.append(
            f"{outside:,} of the kept compounds lie outside the domain of applicability: see in_domain"
        )
    alerted = sum(bool(row["alerts"]) for row in rows)
    if alerted:
        notes.append(f"{alerted:,} of the kept compounds have structural alerts")
    if request.like is None and account.n_ranked > 1000:
        notes.append("the best of very many are partly so by luck: expect less of them than is predicted")
    return notes
