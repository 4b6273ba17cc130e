"""Similar: the treatments, or the subjects, that are most like one."""

from __future__ import annotations

import numpy as np

from iatros.core.bundle import open_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import InputError, RequestError
from iatros.treatment.recommendation import naming
from iatros.treatment.requests import SimilarRequest
from iatros.treatment.responses.bundle import model_of
from iatros.treatment.responses.likeness import ResponseTable


def similar(request: SimilarRequest, context: Context) -> Produced:
    """Names, similarity (-1 to 1, drawn towards 0 where little is common), and how many responses are common."""
    if (request.treatment is None) == (request.subject is None):
        raise RequestError("give either treatment or subject")
    bundle = open_bundle(request.model)
    model = model_of(bundle)
    table = ResponseTable(model.responses)
    if request.treatment is not None:
        place = model.treatment(request.treatment)
        found = table.treatments_like(place)
        names = list(model.treatments)
    else:
        assert request.subject is not None
        place = model.place(request.subject)
        if place < 0:
            raise InputError(
                "the subject is not among those that were learned from", hint="check the spelling"
            )
        found = table.subjects_like(*model.past(place))
        names = [model.called(k) for k in range(len(model.keys))]
    order = [int(k) for k in np.argsort(-found.similarity, kind="stable") if k != place and found.common[k]]
    rows = [
        {"name": names[k], "similarity": round(float(found.similarity[k]), 4), "common": int(found.common[k])}
        for k in order[: request.top]
    ]
    kind = "treatment" if request.treatment is not None else "subject"
    result = {**naming(bundle), "of": request.treatment or "the subject", "kind": kind, "similar": rows}
    return Produced(
        result, table={key: [row[key] for row in rows] for key in ("name", "similarity", "common")}
    )
