from __future__ import annotations

import inspect

import pytest

from iatros.app.domains import DOMAINS, domains, load_domain
from iatros.app.python import _MEANS, is_positional
from iatros.core.domain import load
from iatros.core.errors import UnknownNameError
from iatros.core.request import Request

ACTIONS = [(domain, action) for domain in domains() for action in domain.actions]
DOOR_NAMES = {*_MEANS, "json", "quiet", "config", "traceback", "help", "version", "save_as"}


@pytest.mark.parametrize(("domain", "action"), ACTIONS, ids=lambda one: one.name)
class TestEveryAction:
    def test_has_a_request_with_described_fields(self, domain, action):
        kind = load(action.request)
        assert issubclass(kind, Request)
        assert inspect.getdoc(kind)
        for name, field in kind.model_fields.items():
            assert field.description, f"{name} has no description"

    def test_has_a_function_of_request_and_context(self, domain, action):
        assert list(inspect.signature(load(action.function)).parameters) == ["request", "context"]

    def test_has_no_field_that_a_door_uses_itself(self, domain, action):
        assert not DOOR_NAMES & set(load(action.request).model_fields)

    def test_takes_a_model_first_exactly_where_it_says_so(self, domain, action):
        positional = [n for n, f in load(action.request).model_fields.items() if is_positional(f)]
        usual = [{"imaging": "images", "molecules": "compounds"}.get(domain.name, "table")]
        # these ask about one compound, and where to look for it, about a library, or for new compounds
        others = {
            "neighbours": ["structure", "library"],
            "targets": ["structure", "reference"],
            "screen": ["library"],
            "generate": [],
            "optimise": ["objective"],
            # and these about one patient without a table too, or about what a bundle holds
            "recommend": ["patients"],
            "check": ["patients"],
            "dose": ["patients"],
            "similar": [],
        }
        inputs = others.get(action.name, usual)
        assert positional == (["model", *inputs] if action.needs_model else inputs)


def test_names_agree():
    assert [domain.name for domain in domains()] == list(DOMAINS)


def test_a_miss_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean risk"):
        load_domain("rizk")
