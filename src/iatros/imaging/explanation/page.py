"""The page of heat maps that a person reads: each image beside its map, and what the check of the method says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iatros.core.report import (
    Block,
    Document,
    Estimate,
    Facts,
    Grid,
    Note,
    Paragraph,
    Picture,
    Row,
    Section,
    Table,
    render,
)
from iatros.imaging.explanation.place import BORDER

METHOD_WORDS = {
    "gradcam": "Grad-CAM (Selvaraju 2017): the channels of the last convolution, weighed by their gradient; coarse",
    "gradcam++": "Grad-CAM++ (Chattopadhay 2018): as Grad-CAM, with several and small findings counted; coarse",
    "integrated-gradients": "integrated gradients (Sundararajan 2017), from the blurred image to the image; fine",
    "occlusion": "occlusion (Zeiler 2014): how far the answer falls where a window is blurred",
}
_WIDTH = 360


def explanation_page(result: dict[str, Any], pictures: Sequence[tuple[bytes, bytes]], run_id: str) -> str:
    """HTML of the answer of `explaining.explain`; `pictures` holds the plain and the overlaid PNG of each image."""
    sections = (
        Section("How to read this page", _reading(result), "reading"),
        Section("Images", _images(result, pictures), "images"),
        Section("Can the maps be believed?", _checks(result["checks"]["randomisation"]), "checks"),
    )
    return render(
        Document(
            title="Where the answers come from",
            kicker=f"{result['model']} · {result['method']}",
            subtitle=f"{result['n']} images",
            sections=sections,
            closing=f"Run {run_id}" if run_id else "",
        )
    )


def _reading(result: dict[str, Any]) -> tuple[Block, ...]:
    facts = Facts(
        (
            ("method", METHOD_WORDS[result["method"]]),
            ("colours", "indigo is weak, vermilion middling, yellow the hottest place of the same image"),
            ("model", f"{result['model']}, bundle {result['bundle_sha256'][:12]}"),
        )
    )
    lead = Paragraph(
        "A map shows what moved the network's answer, not what is ill, and each map is scaled to its own hottest "
        "place: two maps cannot be compared in strength.",
        "lead",
    )
    notes = tuple(Note(said, "warning") for said in result["notes"])
    return lead, facts, *notes


def _images(result: dict[str, Any], pictures: Sequence[tuple[bytes, bytes]]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for row, (plain, overlay) in zip(result["images"], pictures, strict=True):
        where = f"{row['name']}: {_answer(row)}"
        slices = row.get("shown_slices")
        shown = f"slices {', '.join(str(k + 1) for k in slices)}" if slices else "as the network saw it"
        heat = f"heat for {row['explained']}{_place(row['heat'])}"
        blocks.append(
            Grid(
                (
                    Picture(plain, f"{row['name']}, {shown}", caption=f"{where} ({shown})", width=_WIDTH),
                    Picture(overlay, f"{row['name']}, {heat}", caption=heat, width=_WIDTH),
                )
            )
        )
        blocks += [Note(said, "warning") for said in row["warnings"]]
    return tuple(blocks)


def _answer(row: dict[str, Any]) -> str:
    if "probability" in row:
        return f"probability {row['probability']:.3f}"
    if "prediction" in row:
        said = row["prediction"]
        return said if isinstance(said, str) else f"{said:.4g}"
    labels = [
        (name.removesuffix("_probability"), value)
        for name, value in row.items()
        if name.endswith("_probability")
    ]
    return ", ".join(f"{name} {value:.3f}" for name, value in labels)


def _place(heat: dict[str, Any]) -> str:
    if heat["border_share"] is None:
        return ": none"
    return f"; {heat['border_share']:.0%} of it in the outer {BORDER:.0%} at each side"


def _checks(check: dict[str, Any]) -> tuple[Block, ...]:
    said = (
        "the maps change when what was learned is taken away, so they depend on the model"
        if check["passes"]
        else "the maps stay much the same for a network of random weights: they show the image, not the model"
    )
    rows = tuple(
        Row(
            (
                f"{stage['layers']} of {check['n_layers']}",
                Estimate(stage["rank_correlation"], digits=2),
                Estimate(stage["structural_similarity"], digits=2),
            )
        )
        for stage in check["stages"]
    )
    return (
        Paragraph(
            f"Parameter randomisation (Adebayo 2018) on {check['n']} of the images: layers are drawn anew from the "
            f"answer downwards, and the maps compared with the original ones. {said[0].upper()}{said[1:]} (rank "
            f"correlation {check['similarity']:.2f} with all layers random; below {check['bound']} passes).",
        ),
        Table(
            ("random layers, from the top", "rank correlation", "structural similarity"), rows, right=(1, 2)
        ),
    )
