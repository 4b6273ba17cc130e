import numpy as np

from iatros.learners.completion.table import Asked, Settings, complete
from iatros.molecules.affinity.stored import restored, stored

NAMES = {
    "values", "known", "mean", "drug_offsets", "target_offsets", "first_dual", "second_dual", "drug_profiles",
    "target_profiles", "drug_width", "target_width", "target_kernel", "drug_kernel", "factor_drugs", "factor_targets",
}  # fmt: skip


def test_a_bundle_keeps_the_names_of_drugs_and_targets():
    rng = np.random.default_rng(2)
    values, drugs, targets = rng.normal(size=(4, 6)), np.eye(4) * 0.6 + 0.4, np.eye(6) * 0.8 + 0.2
    table = complete(values, np.ones((4, 6)), drugs, targets, Settings(column_power=0.4), seed=0)
    settings, arrays = stored(table)
    assert set(arrays) == NAMES
    assert settings["target_power"] == 0.4
    assert settings["factor_penalty"] == 4.0
    again = restored(settings, arrays)
    asked = Asked.known(drugs, targets)
    assert again.settings == table.settings
    assert np.array_equal(again.ask(asked).second, table.ask(asked).second)
    assert np.array_equal(again.ask(asked).factors, table.ask(asked).factors)
