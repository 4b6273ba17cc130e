import numpy as np
import pytest

from iatros.core.errors import RequestError
from iatros.treatment.safety.gate import Policy
from iatros.treatment.safety.patients import Patient
from iatros.treatment.safety.sets import assemble, interaction_matrix, interaction_rate

NAMES = ["ibuprofen", "Coumadin", "amiodarone", "mystery", "naproxen"]


def test_the_matrix_of_interactions(knowledge):
    found = interaction_matrix(NAMES, knowledge)
    pairs = {(NAMES[a], NAMES[b]) for a, b in np.argwhere(np.triu(found))}
    assert pairs == {("ibuprofen", "Coumadin"), ("Coumadin", "amiodarone"), ("Coumadin", "naproxen")}
    assert (found == found.T).all()
    assert interaction_matrix(NAMES, knowledge, "major").sum() == 2
    assert interaction_matrix([], knowledge).shape == (0, 0)
    with pytest.raises(RequestError, match="no severity"):
        interaction_matrix(NAMES, knowledge, "grave")


def test_the_rate_is_over_all_pairs_of_all_sets(knowledge):
    # By hand: 1 of 1, 2 of 6, 0 of 0, 0 of 0; the repeated name counts once.
    sets = [
        ["Coumadin", "ibuprofen"],
        ["ibuprofen", "Coumadin", "amiodarone", "mystery"],
        ["ibuprofen", "ibuprofen"],
        [],
    ]
    found = interaction_rate(sets, knowledge)
    assert (found.interacting.tolist(), found.pairs.tolist()) == ([1, 2, 0, 0], [1, 6, 0, 0])
    assert found.rate == pytest.approx(3 / 7)
    assert found.document() == {
        "rate": 3 / 7, "n_interacting": 3, "n_pairs": 7, "n_sets": 4, "n_names": 4, "n_unknown": 1,
    }  # fmt: skip
    assert interaction_rate([["ibuprofen"]], knowledge).document()["rate"] is None


def test_a_set_is_put_together_in_order(knowledge):
    well = Patient(current=(), conditions=(), allergies=(), sex="male", age_years=40.0)
    taken, verdicts = assemble(["Coumadin", "amiodarone", "ibuprofen", "naproxen"], well, knowledge)
    assert taken == ("Coumadin", "ibuprofen", "naproxen")
    assert [one.status for one in verdicts] == ["nothing found", "stopped", "warning", "warning"]
    assert assemble(["Coumadin", "ibuprofen"], well, knowledge, size=1)[0] == ("Coumadin",)
    assert assemble(["amiodarone", "Coumadin"], well, knowledge)[0] == ("amiodarone",)
    # What was not told stays so.
    strict = Policy(missing="stop")
    told_little = Patient(conditions=(), allergies=(), sex="male")
    assert assemble(["ibuprofen", "Coumadin"], told_little, knowledge, strict)[0] == ("ibuprofen",)
