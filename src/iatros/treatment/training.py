"""Train: from responses, doses or visits to a bundle with its evidence."""

from __future__ import annotations

from iatros.core.context import Context, Produced
from iatros.learners.tabular.estimators.params import check_overrides
from iatros.treatment.requests import TrainRequest
from iatros.treatment.training_requests import TrainDoseRequest, TrainNextRequest


def train(request: TrainRequest, context: Context) -> Produced:
    """A model of responses of subjects to treatments."""
    from iatros.treatment.responses.training import train_responses

    return train_responses(request, context)


def train_dose(request: TrainDoseRequest, context: Context) -> Produced:
    """A model of the dose that a patient needs."""
    from iatros.treatment.dosing import actions
    from iatros.treatment.dosing.models import MODELS
    from iatros.treatment.dosing.schema import Columns
    from iatros.treatment.dosing.settings import DoseSettings

    params = check_overrides(request.model, request.param, MODELS)
    settings = DoseSettings(
        models={name: given.model_dump(exclude_unset=True) for name, given in params.items()},
        combine=request.combine,
        scale=request.transform,
        n_folds=request.folds,
        coverage=request.coverage,
        bands=request.bands,
        leave_out=request.leave_out,
        confidence_level=request.confidence_level,
        seed=request.seed,
    )
    columns = Columns(
        request.outcome,
        request.unit,
        request.unit_column,
        request.subject,
        request.site,
        request.subgroup,
        request.features,
        request.exclude,
        request.missing,
        request.dictionary,
    )
    said = request.model_dump(mode="json")
    return actions.train_dose(request.table, columns, settings, context, request=said)


def train_next(request: TrainNextRequest, context: Context) -> Produced:
    """A model of what is usually prescribed next."""
    from iatros.treatment.sequences.actions import train_sequences
    from iatros.treatment.sequences.estimator import MODELS
    from iatros.treatment.sequences.settings import SequenceSettings
    from iatros.treatment.sequences.sources import Columns

    params = check_overrides(request.model, request.param, MODELS)
    given = {name: one.model_dump(exclude_unset=True) for name, one in params.items()}
    first, *others = given
    settings = SequenceSettings(
        model=first,
        params=given[first],
        also={name: given[name] for name in others},
        validation=request.validation,
        held_out_fraction=request.held_out_fraction,
        n_folds=request.folds,
        known=request.known,
        min_subjects=request.min_subjects,
        min_history=request.min_history,
        k=request.k,
        missed=request.missed,
        certainty=request.certainty,
        seed=request.seed,
        confidence_level=request.confidence_level,
    )
    columns = Columns(
        request.subject, request.visit, request.time, request.kind, request.code, request.medication
    )
    return train_sequences(
        settings,
        request.table,
        columns,
        context,
        visits=request.visits,
        covariates=request.covariates,
        interactions=request.interactions,
        request=request.model_dump(mode="json"),
    )
