"""What every model's parameters have in common, and how `model.name=value` becomes one of them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from iatros.core.errors import RequestError, unknown_name
from iatros.core.registry import Registry

Impute = Literal["none", "simple", "iterative", "multiple"]


class ModelParams(BaseModel):
    """The parameters that all models share; each model adds its own in a subclass and may narrow these.

    A model that is made of other models has a field `members` (their names) and a field
    `member_params: dict[str, dict[str, Any]]`: what was set by hand for a member, already validated by that
    member's own class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    impute: Impute = Field(
        default="simple",
        description="how missing values are filled: none (the model takes them as they are), simple "
        "(median), iterative (chained equations) or multiple (several chained draws, predictions averaged)",
    )
    n_imputations: int = Field(
        default=5, ge=2, le=50, description="completed tables where impute is multiple"
    )
    indicators: bool = Field(
        default=False,
        description="add a 0/1 feature for each column that has missing values; why a value is missing often "
        "differs between hospitals, so these can hurt at a new site",
    )


def parse_overrides(model: str, overrides: Sequence[str], models: Registry) -> ModelParams:
    """The parameters of `model`, its defaults changed by `overrides` such as `"forest.n_estimators=200"`.

    Overrides that name another registered model are that model's, and pass unread, unless `model` has it as
    a member (see `ModelParams`); `check_overrides` refuses the ones that nobody would read.
    """
    kind: type[ModelParams] = models.load(model).Params
    own: dict[str, Any] = {}
    others: dict[str, dict[str, Any]] = {}
    for override in overrides:
        owner, name, value = _split(override, models)
        if owner == model:
            own[name] = _value(kind, owner, name, value)
        else:
            owner_kind = models.load(owner).Params
            others.setdefault(owner, {})[name] = _value(owner_kind, owner, name, value)
    params = _validated(kind, model, own)
    if "member_params" not in kind.model_fields:
        return params
    members = getattr(params, "members", ())
    inner = {
        owner: _validated(models.load(owner).Params, owner, values).model_dump(include=set(values))
        for owner, values in others.items()
        if owner in members
    }
    return params.model_copy(update={"member_params": inner}) if inner else params


def check_overrides(
    trained: Sequence[str], overrides: Sequence[str], models: Registry
) -> dict[str, ModelParams]:
    """The parameters of each model in `trained`; an override that none of them reads is refused."""
    params = {model: parse_overrides(model, overrides, models) for model in trained}
    made_of_others = (each for each in params.values() if "member_params" in type(each).model_fields)
    read = set(trained).union(*(getattr(each, "members", ()) for each in made_of_others))
    for override in overrides:
        owner, name, _ = _split(override, models)
        if owner not in read:
            raise RequestError(
                f"{owner}.{name} is set, but {owner} is not trained",
                where="param",
                hint=f"trained: {', '.join(trained)}",
            )
    return params


def with_impute(params: ModelParams, impute: str) -> ModelParams:
    """`params` with another way of filling missing values; a model that cannot work so says it."""
    kind = type(params)
    changed = {**params.model_dump(), "impute": impute}
    return _validated(kind, kind.__name__.removesuffix("Params").lower(), changed)


def _split(override: str, models: Registry) -> tuple[str, str, str]:
    """Model, parameter and value of `model.parameter=value`."""
    left, equals, value = override.partition("=")
    owner, dot, name = left.strip().partition(".")
    if not (equals and dot and owner and name and value.strip()):
        raise RequestError(
            f"{override!r} is not of the form MODEL.NAME=VALUE",
            where="param",
            hint="for example forest.n_estimators=200",
        )
    if owner not in models.names():
        miss = unknown_name("model", owner, models.names(), where="param")
        raise RequestError(miss.message, hint=miss.hint, where=miss.where)
    return owner, name.strip(), value.strip()


def _value(kind: type[ModelParams], model: str, name: str, text: str) -> Any:
    """`text` as pydantic can take it for the field `name`: lists from commas, objects and null from JSON."""
    field = kind.model_fields.get(name)
    if field is None or name == "member_params":
        known = [known for known in kind.model_fields if known != "member_params"]
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"did you mean {model}.{near[0]}? " if near else ""
        hint = f"{meant}known: {', '.join(known)}"
        raise RequestError(f"{model} has no parameter {name!r}", where="param", hint=hint)
    if text == "null" or text[0] in "[{":
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise RequestError(f"{model}.{name}: not valid JSON ({error.msg})", where="param") from None
    if _is_sequence(field.annotation):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def _is_sequence(annotation: Any) -> bool:
    kinds = (annotation, *get_args(annotation))
    return any(get_origin(kind) in (tuple, list) for kind in kinds)


def _validated(kind: type[ModelParams], model: str, values: dict[str, Any]) -> ModelParams:
    try:
        return kind(**values)
    except ValidationError as error:
        parts = []
        for detail in error.errors(include_url=False, include_context=False):
            name = ".".join(str(part) for part in detail["loc"]) or "parameters"
            parts.append(
                f"{model}.{name}: {detail['msg'].removeprefix('Value error, ')} (got {detail['input']!r})"
            )
        raise RequestError("; ".join(parts), where="param") from None
