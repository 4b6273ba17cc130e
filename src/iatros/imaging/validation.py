"""How performance is estimated: the procedure is developed on some images and judged on others, part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iatros.core.context import Context
from iatros.imaging.auditing import Audited
from iatros.imaging.choosing import Candidate, candidates
from iatros.imaging.cohort import Cohort
from iatros.imaging.development import Developed, develop
from iatros.imaging.judging import Judged, judge
from iatros.imaging.prepared import Prepared, prepare_records
from iatros.imaging.requests import TrainRequest
from iatros.imaging.sides import Plan, plan


@dataclass(frozen=True)
class Validated:
    """Everything that a training has made before it is written down."""

    request: TrainRequest
    cohort: Cohort
    audited: Audited
    plan: Plan
    judged: tuple[Judged, ...]
    final: Developed


def validate(audited: Audited, request: TrainRequest, context: Context) -> Validated:
    """Every part of the validation, then the final network, which a single part already is."""
    cohort = audited.cohort
    whole = plan(cohort, request)
    wanted = _wanted(cohort, request, context)
    judged = []
    final = None
    given = request.validation == "auto"
    for part in whole.parts:
        developed = develop(cohort, part.development, wanted, request, context, part.name, given=given)
        with context.progress.step("judging"):
            judged.append(judge(cohort, developed, part.test, part.name))
        final = developed if whole.final_is_judged else None
    if final is None:
        final = develop(cohort, whole.final, wanted, request, context, "final", given=given)
    return Validated(request, cohort, audited, whole, tuple(judged), final)


def _wanted(cohort: Cohort, request: TrainRequest, context: Context) -> list[tuple[Candidate, Prepared]]:
    """Every candidate with its arrays; candidates that take the same share them."""
    made: dict[Any, Prepared] = {}
    wanted = []
    for candidate in candidates(cohort, request):
        key = (candidate.spec, candidate.slicewise)
        if key not in made:
            made[key] = prepare_records(
                cohort.collection,
                cohort.records,
                candidate.spec,
                context.progress,
                slicewise=candidate.slicewise,
            )
        wanted.append((candidate, made[key]))
    return wanted
