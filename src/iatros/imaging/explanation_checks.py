"""Whether the heat maps of a trained network can be believed: they change with the weights, and lie on the finding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.imaging.examples import output_of
from iatros.imaging.explanation import heat_maps
from iatros.imaging.explanation.checking import parameter_randomisation, pointing_game
from iatros.imaging.inputs import prepare
from iatros.imaging.judging import Judged
from iatros.imaging.schema import ImageRecord, InputSpec
from iatros.imaging.validation import Validated

_RANDOMISED = 8
"""Images on which the weights' part in the maps is checked."""
_POINTED = 200
"""Most images with a known place of the finding that are pointed at."""


def explanation_checks(run: Validated, judged: Judged, context: Context) -> dict[str, Any] | None:
    """`randomisation` and, where masks tell the place, `pointing`; None for slices alone and for quantities."""
    chosen = run.final.chosen
    target = run.cohort.targets[0]
    if not chosen.prepared.one_each or target.task == "continuous":
        return None
    method, spec = run.request.explain, chosen.candidate.spec
    with context.progress.step("checking the heat maps"):
        rows = judged.rows[:: max(len(judged.rows) // _RANDOMISED, 1)][:_RANDOMISED]
        inputs = chosen.prepared.take(rows)
        table = None if chosen.table is None else chosen.table[rows]
        answer = _outputs(run, rows)
        network = chosen.members[0].network
        checks: dict[str, Any] = {
            "method": method,
            "randomisation": parameter_randomisation(
                network, inputs, answer, method, spec, run.request.seed, table=table
            ),
        }
        pointing = _pointing(run, judged, spec, method)
    return checks | ({"pointing": pointing} if pointing else {})


def _outputs(run: Validated, rows: np.ndarray) -> np.ndarray:
    logits = run.final.chosen.logits(rows)
    if run.cohort.objective == "ordinal":
        return np.asarray((logits > 0).sum(axis=1).clip(max=logits.shape[1]) - 1).clip(min=0)
    return output_of(run.cohort, logits.argmax(axis=1))


def _pointing(run: Validated, judged: Judged, spec: InputSpec, method: str) -> dict[str, Any] | None:
    """The pointing game over judged images of the finding whose place is known."""
    cohort, chosen = run.cohort, run.final.chosen
    if spec.kind != "image" or len(cohort.targets) > 1 or cohort.targets[0].task != "binary":
        return None
    y = np.asarray(cohort.y[0])
    rows = np.array(
        [r for r in judged.rows if y[r] == 1 and cohort.records[r].mask is not None][:_POINTED], dtype=int
    )
    if not len(rows):
        return None
    masks = np.stack([_mask(cohort.collection.root, cohort.records[row], spec) for row in rows])
    rows, masks = rows[masks.any(axis=(1, 2))], masks[masks.any(axis=(1, 2))]
    if not len(rows):
        return None
    table = None if chosen.table is None else chosen.table[rows]
    inputs = np.asarray(chosen.prepared.take(rows))
    maps = heat_maps(
        chosen.members[0].network, inputs, np.ones(len(rows), dtype=int), method, spec, table=table
    )
    return pointing_game(
        maps, masks, groups=cohort.groups[rows], confidence_level=run.request.confidence_level
    )


def _mask(root: str, record: ImageRecord, spec: InputSpec) -> np.ndarray:
    """Where the finding lies, bool in the size of the network's input."""
    from PIL import Image

    assert record.mask is not None
    with Image.open(Path(root) / record.mask) as image:
        plane = np.asarray(image.convert("L")) > 0
    placed = prepare(
        (plane[None] * np.uint8(255)).astype(np.uint8),
        InputSpec("image", 1, spec.size, spec.fit),
        spacing_mm=record.spacing_mm,
    )
    return np.asarray(placed[0] >= 0.5)
