"""The actions of molecules on pairs: from their requests to columns and settings, and to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from iatros.core.bundle import Bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import RequestError
from iatros.learners.tabular.estimators.params import check_overrides
from iatros.molecules.affinity.actions import train_affinity
from iatros.molecules.affinity.answers import evaluate_affinity, predict_affinity
from iatros.molecules.affinity.estimator import Newness
from iatros.molecules.affinity.models import MODELS
from iatros.molecules.affinity.settings import AffinitySettings
from iatros.molecules.affinity.sources import Columns
from iatros.molecules.evaluation_requests import EvaluateRequest
from iatros.molecules.requests import PredictRequest, TrainRequest
from iatros.molecules.sources import header_of
from iatros.molecules.sources.columns import Wanted

_FOLDS = 5
_P = "minus log10 of mol/L"


def train_pairs(request: TrainRequest, context: Context) -> Produced:
    """A model of the affinity of pairs, from a training that names a column of proteins."""
    assert request.protein is not None
    names = _models(request.model)
    params = {
        name: one.model_dump(exclude_unset=True)
        for name, one in check_overrides(names, request.param, MODELS).items()
    }
    (outcome,) = request.outcome
    in_p = request.unit_column is not None or request.unit not in (None, "none")
    settings = AffinitySettings(
        model=names[0],
        validation=cast(Newness, request.validation),
        params=params[names[0]],
        also={name: params[name] for name in names[1:]},
        n_folds=request.folds or _FOLDS,
        same_group=request.same_group,
        seed=request.seed,
        confidence_level=request.confidence_level,
        coverage=request.coverage,
        outcome=outcome,
        unit=_P if in_p else "",
    )
    columns = Columns(
        smiles=request.smiles,
        protein=request.protein,
        affinity=outcome,
        identifier=request.identifier,
        target=request.target,
        relation=request.relation,
        unit=request.unit,
        unit_column=request.unit_column,
        fasta=request.fasta,
        max_spread=request.max_spread,
        conflicts=request.conflicts,
        tautomer=request.tautomer,
    )
    return train_affinity(
        request.compounds, columns, settings, context, request=request.model_dump(mode="json")
    )


def predict_pairs(bundle: Bundle, request: PredictRequest, context: Context) -> Produced:
    """The affinity of each line's pair by a bundle of affinity."""
    columns = Columns(**_naming(bundle, request), tautomer=_tautomer(bundle))
    return predict_affinity(request.model, request.compounds, columns, context, abstain=request.abstain)


def evaluate_pairs(bundle: Bundle, request: EvaluateRequest, context: Context) -> Produced:
    """The metrics of a bundle of affinity on other measured pairs."""
    if request.active_from is not None:
        raise RequestError("active_from has no meaning for a model of affinity", hint="leave it out")
    if len(request.outcome) > 1:
        raise RequestError("outcome names one column here, the one with the affinity")
    trained = bundle.manifest["request"]
    asked_unit = request.unit is not None or request.unit_column is not None
    header = _header(request)
    columns = Columns(
        **_naming(bundle, request),
        affinity=request.outcome[0] if request.outcome else bundle.manifest["target"]["name"],
        relation=request.relation or _there(trained, "relation", header),
        unit=request.unit if asked_unit else trained["unit"],
        unit_column=request.unit_column if asked_unit else trained["unit_column"],
        max_spread=trained["max_spread"],
        conflicts=trained["conflicts"],
        tautomer=_tautomer(bundle),
    )
    return evaluate_affinity(
        request.model,
        request.compounds,
        columns,
        context,
        confidence_level=request.confidence_level,
        seed=request.seed,
        request=request.model_dump(mode="json"),
    )


def _models(names: Sequence[str]) -> tuple[str, ...]:
    """`names` checked, each once; `all` stands for every model of affinity."""
    from iatros.molecules.models import MODELS as OF_COMPOUNDS

    if not names:
        raise RequestError("model: name at least one", hint=f"known: {', '.join(MODELS.names())}")
    for name in names:
        if name in OF_COMPOUNDS.names() and name not in MODELS.names():
            raise RequestError(
                f"{name} is a model of compounds alone and does not see proteins",
                where="model",
                hint=f"with protein use one of {', '.join(MODELS.names())}; without protein {name} can be trained",
            )
    wanted = [
        known for name in names for known in (MODELS.names() if name == "all" else (MODELS.entry(name).name,))
    ]
    return tuple(dict.fromkeys(wanted))


def _naming(bundle: Bundle, request: PredictRequest | EvaluateRequest) -> dict[str, Any]:
    """Where structures and proteins stand: as the request says, else as in training."""
    trained = bundle.manifest["request"]
    if trained["fasta"] is not None and request.protein is None and request.fasta is None:
        raise RequestError(
            f"the model was trained with proteins named in a FASTA file ({trained['fasta']['file']})",
            where=bundle.name,
            hint="give fasta, or protein, a column of sequences",
        )
    return {
        "smiles": request.smiles,
        "protein": request.protein or trained["protein"],
        "identifier": request.identifier,
        "target": request.target or _there(trained, "target", _header(request)),
        "fasta": request.fasta,
    }


def _header(request: PredictRequest | EvaluateRequest) -> list[str]:
    return header_of(request.compounds, Wanted(request.smiles))


def _there(trained: dict[str, Any], field: str, header: Sequence[str]) -> Any:
    """The column that training named, where the table has one of that name."""
    return trained[field] if trained[field] in header else None


def _tautomer(bundle: Bundle) -> bool:
    return bool(bundle.manifest["standardisation"]["tautomer"])
