"""Which question a bundle of molecules answers: what a compound does, or how strongly it binds a protein."""

from __future__ import annotations

from iatros.core.bundle import Bundle
from iatros.core.errors import BundleError, RequestError
from iatros.molecules.evaluation_requests import EvaluateRequest
from iatros.molecules.requests import PredictRequest


def is_of_pairs(bundle: Bundle) -> bool:
    """Whether the bundle was trained on pairs of a compound and a protein."""
    return bundle.manifest.get("question") == "affinity"


def refuse_pairs(bundle: Bundle, why: str) -> None:
    """BundleError where the bundle is about pairs; `why` says what the action lacks for them."""
    if is_of_pairs(bundle):
        raise BundleError(
            f"the bundle gives the affinity of pairs of a compound and a protein; {why}",
            where=bundle.name,
            hint="predict and evaluate take it",
        )


def refuse_proteins(bundle: Bundle, request: PredictRequest | EvaluateRequest) -> None:
    """RequestError where a bundle about compounds alone is asked about proteins."""
    for name in ("protein", "target", "fasta"):
        if getattr(request, name) is not None:
            raise RequestError(
                f"the model in {bundle.name} is of compounds alone and does not see proteins, so {name} has no meaning",
                hint="leave it out, or name a bundle that was trained with protein",
            )
