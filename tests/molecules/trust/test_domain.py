"""The domain: similarities by RDKit, limits by hand, what lies outside, and the way to the disk and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.DataStructs import BulkTanimotoSimilarity

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.errors import InputError
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.molecules.trust.domain import Domain, similarity_to_other_folds

CHAINS = [f"{'C' * length}{end}" for end in ("O", "N", "C(=O)O", "Cl") for length in range(3, 13)]
FOLDS = np.arange(len(CHAINS)) % 4


def _domain(**fields) -> Domain:
    rng = np.random.default_rng(0)
    errors = rng.random(len(CHAINS))
    return Domain.fit(Compounds(CHAINS), errors, errors + 0.01, FOLDS, **{"share": 0.1, **fields})


def test_similarity_is_the_mean_of_the_nearest_in_other_folds_by_rdkit() -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    bits = [generator.GetFingerprint(Chem.MolFromSmiles(one)) for one in CHAINS]
    got = similarity_to_other_folds(Compounds(CHAINS).values(Fingerprint()), FOLDS, 3)
    for row, one in enumerate(bits):
        others = np.array(BulkTanimotoSimilarity(one, bits))[FOLDS[row] != FOLDS]
        assert got[row] == pytest.approx(np.sort(others)[-3:].mean())


def test_limits_leave_the_share_beyond_and_say_whether_errors_grow() -> None:
    domain = _domain()
    similarity = similarity_to_other_folds(Compounds(CHAINS).values(Fingerprint()), FOLDS, 3)
    assert domain.least_similarity == pytest.approx(np.quantile(similarity, 0.1))
    told = domain.evidence["spread"]
    assert told["n_beyond"] == 4
    assert told["error_grows"]
    assert told["rank_correlation"] == pytest.approx(1)
    assert told["mean_error_beyond"] > told["mean_error_within"]


def test_spread_that_says_nothing_about_errors_is_no_limit() -> None:
    rng = np.random.default_rng(1)
    errors = rng.random(len(CHAINS))
    domain = Domain.fit(Compounds(CHAINS), errors, -errors, FOLDS)
    assert domain.most_spread == np.inf
    assert domain.assess(Compounds(["CCCCO"]), np.array([1e9])).inside.tolist() == [True]


def test_what_is_unlike_or_disputed_lies_outside_with_its_reason() -> None:
    domain = _domain()
    asked = Compounds(["CCCCCO", "c1ccc2[nH]ccc2c1", "CCCCCO"])
    found = domain.assess(asked, np.array([0.1, 0.1, 9.0]))
    assert found.inside.tolist() == [True, False, False]
    assert found.reason[0] == ""
    assert "unlike" in found.reason[1]
    assert "disagree" in found.reason[2]
    assert CHAINS[found.nearest[0]] == "CCCCCO"
    assert found.similarity[1] < domain.least_similarity <= found.similarity[0]


@pytest.mark.parametrize("keep", [True, False])
def test_stored_domain_assesses_alike(keep: bool) -> None:
    domain = _domain(keep_fingerprints=keep)
    document = json.loads(json.dumps(domain.document(), allow_nan=False))
    loaded = Domain.load(document, unpack_arrays(pack_arrays(domain.arrays())))
    asked, spread = Compounds(["CCCCCO", "c1ccc2[nH]ccc2c1"]), np.array([0.1, 9.0])
    one, other = domain.assess(asked, spread), loaded.assess(asked, spread)
    assert one.inside.tolist() == other.inside.tolist()
    assert one.reason == other.reason
    assert np.array_equal(one.similarity, other.similarity, equal_nan=True)
    assert domain.document()["fingerprints_kept"] is keep
    if not keep:
        assert np.isnan(other.similarity).all()
        assert domain.arrays() == {}
        assert other.inside.tolist() == [True, False]


def test_gaps_in_the_errors_are_left_out() -> None:
    errors = np.full(len(CHAINS), np.nan)
    errors[:6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    told = Domain.fit(Compounds(CHAINS), errors, np.arange(len(CHAINS), dtype=float), FOLDS).evidence
    assert told["spread"]["mean_error_within"] == pytest.approx(3.5)
    assert told["spread"]["mean_error_beyond"] is None


def test_bad_input_is_refused() -> None:
    known, ones = Compounds(CHAINS[:4]), np.ones(4)
    with pytest.raises(InputError, match="one entry"):
        Domain.fit(known, np.ones(3), ones, np.arange(4))
    with pytest.raises(InputError, match="one part"):
        Domain.fit(known, ones, ones, np.zeros(4))
    with pytest.raises(InputError, match="share"):
        Domain.fit(known, ones, ones, np.arange(4), share=0.5)
    with pytest.raises(InputError, match="neighbour"):
        Domain.fit(known, ones, ones, np.arange(4), k=0)
    with pytest.raises(InputError, match="spread"):
        _domain().assess(known, np.ones(3))
