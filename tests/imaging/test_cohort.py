from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from iatros.core.errors import OutcomeError, RequestError, SplitError, UnknownNameError
from iatros.imaging.cohort import open_cohort, subgroup_labels, subject_codes
from iatros.imaging.requests import TrainRequest
from iatros.imaging.schema import Collection, ImageRecord, Refused
from iatros.imaging.sides import development_sides, member_sides, plan

REQUEST = TrainRequest(images="images")


class NoPixels:
    def read(self, sha256):
        raise AssertionError("a cohort needs no pixels")


def collection(n, *, refused=(), **fields):
    """`n` records; a field is a list with one value per record, `label` goes to the columns."""
    found = []
    for k in range(n):
        own = {name: values[k] for name, values in fields.items()}
        columns = {"label": own.pop("label")} if "label" in own else {}
        found.append(ImageRecord(f"image{k}", f"{k:064x}", (1, 9, 6), columns=columns, **own))
    return Collection("folders", tuple(found), tuple(refused), NoPixels())


def many(n=200, *, rare=0.3, **fields):
    labels = ["pneumonia" if k < rare * n else "normal" for k in range(n)]
    return collection(n, label=labels, **fields)


def test_images_without_a_label_are_refused_by_name():
    cohort = open_cohort(collection(4, label=["normal", None, "tumour", "normal"], refused=[Refused("x.dcm", "empty")]),
                         TrainRequest(images="images", positive="tumour"))  # fmt: skip
    assert cohort.n == 3
    assert [(one.name, one.reason) for one in cohort.refused] == [
        ("x.dcm", "empty"),
        ("image1", "image without label"),
    ]
    assert cohort.y[0].tolist() == [0, 1, 0]
    assert cohort.y[0].dtype == np.int64
    data = cohort.data()
    assert (data["n_read"], data["n_used"], data["n_refused"]) == (4, 3, 2)


def test_nothing_readable_is_said():
    with pytest.raises(OutcomeError, match="no image could be read"):
        open_cohort(collection(0), REQUEST)


def test_a_patient_is_named_by_subject_then_study_then_record():
    found = collection(5, label=["normal", "tumour"] * 2 + ["normal"],
                       subject=["p", "p", None, None, None], study_uid=["1", "2", "3", "3", None])  # fmt: skip
    codes = subject_codes(found.records)
    assert codes[0] == codes[1]
    assert codes[2] == codes[3]
    assert len(set(codes.tolist())) == 3


def test_the_fingerprint_goes_by_pixels_and_labels_not_by_order_or_names():
    one = open_cohort(many(), REQUEST)
    turned = replace(
        one.collection, records=tuple(replace(r, name="n" + r.name) for r in reversed(one.records))
    )
    other = open_cohort(turned, REQUEST)
    assert one.data()["fingerprint"] == other.data()["fingerprint"]
    relabelled = replace(
        turned, records=(replace(turned.records[0], columns={"label": "pneumonia"}), *turned.records[1:])
    )
    assert open_cohort(relabelled, REQUEST).data()["fingerprint"] != one.data()["fingerprint"]


def test_subgroups_are_found_by_themselves_and_by_name():
    n = 30
    found = many(n, sex=["F", "M"] * 15, age=[35.0] * 10 + [72.0] * 10 + [None] * 10, scanner=["one"] * n)
    labels = subgroup_labels(open_cohort(found, REQUEST).records, ())
    assert set(labels) == {"sex", "age_band"}
    assert labels["age_band"][[0, 10, 29]].tolist() == ["<40", "70-79", None]
    with pytest.raises(UnknownNameError, match="colour"):
        subgroup_labels(found.records, ("colour",))


def side_of_patients(cohort, sides):
    return [set(cohort.groups[rows].tolist()) for rows in sides]


def test_no_patient_stands_on_two_sides():
    found = many(900, subject=[f"p{k // 3}" for k in range(900)])
    cohort = open_cohort(found, REQUEST)
    whole = plan(cohort, REQUEST)
    (part,) = whole.parts
    sides = development_sides(cohort, part.development, 0, given=True)
    patients = side_of_patients(cohort, [part.test, sides.train, sides.tuning, sides.calibration])
    assert sum(map(len, patients)) == 300
    assert len(set.union(*patients)) == 300
    assert all(patients)


def test_the_sources_own_sides_are_kept_and_tuning_is_halved():
    names = ["train"] * 120 + ["tuning"] * 60 + ["held_out"] * 20
    found = collection(200, label=["pneumonia", "normal"] * 100, split=names)
    cohort = open_cohort(found, REQUEST)
    whole = plan(cohort, REQUEST)
    assert whole.final_is_judged
    assert whole.parts[0].test.tolist() == list(range(180, 200))
    sides = development_sides(cohort, whole.final, 0, given=True)
    assert sides.train.tolist() == list(range(120))
    assert sorted([*sides.tuning, *sides.calibration]) == list(range(120, 180))
    assert len(sides.tuning) == len(sides.calibration) == 30
    assert "half of the tuning patients" in sides.note


def test_another_validation_may_be_asked_for_despite_given_sides():
    found = collection(200, label=["pneumonia", "normal"] * 100, split=["train"] * 150 + ["held_out"] * 50)
    whole = plan(
        open_cohort(found, REQUEST), TrainRequest(images="images", validation="cross-validation", folds=4)
    )
    assert [len(part.test) for part in whole.parts] == [50] * 4
    assert sorted(np.concatenate([part.test for part in whole.parts])) == list(range(200))
    assert not whole.final_is_judged


def test_a_given_patient_on_two_sides_is_refused():
    found = collection(200, label=["pneumonia", "normal"] * 100, split=["train"] * 150 + ["held_out"] * 50,
                       subject=[f"p{k}" for k in range(199)] + ["p0"])  # fmt: skip
    with pytest.raises(SplitError, match="1 patients stand on both development and held_out"):
        plan(open_cohort(found, REQUEST), REQUEST)


@pytest.mark.parametrize(
    ("sides", "said"),
    [(["train", None], "have no side"), (["tuning", "held_out"], "no image is on the train side")],
)
def test_half_given_sides_are_refused(sides, said):
    with pytest.raises(SplitError, match=said):
        open_cohort(collection(2, label=["normal", "pneumonia"], split=sides), REQUEST)


def test_sites_are_left_out_in_turn():
    site = ["north"] * 90 + ["south"] * 70 + ["east"] * 40
    found = collection(200, label=["pneumonia", "normal"] * 100, site=site)
    whole = plan(open_cohort(found, REQUEST), TrainRequest(images="images", validation="site"))
    assert {part.name: len(part.test) for part in whole.parts} == {"north": 90, "south": 70, "east": 40}
    with pytest.raises(RequestError, match="needs the hospital"):
        plan(open_cohort(many(), REQUEST), TrainRequest(images="images", validation="site"))


def test_members_of_an_ensemble_tune_on_other_patients_and_never_learn_from_calibration():
    found = many(900, subject=[f"p{k // 3}" for k in range(900)])
    cohort = open_cohort(found, REQUEST)
    sides = development_sides(cohort, np.arange(900), 0, given=False)
    drawn = [member_sides(cohort, sides, k, 0, given=False) for k in range(5)]
    assert np.array_equal(drawn[0][0], sides.train)
    assert np.array_equal(drawn[0][1], sides.tuning)
    for train, tuning in drawn:
        patients = side_of_patients(cohort, [train, tuning, sides.calibration])
        assert sum(map(len, patients)) == len(set.union(*patients)) == 300
        assert len(tuning) == pytest.approx(len(sides.tuning), abs=6)
    assert len({tuple(tuning) for _, tuning in drawn}) == 5
    learned = np.unique(np.concatenate([train for train, _ in drawn]))
    assert len(learned) > 0.99 * (900 - len(sides.calibration))
    named = member_sides(cohort, sides, 3, 0, given=True)
    assert np.array_equal(named[0], sides.train)
    few = open_cohort(many(40), REQUEST)
    shared = development_sides(few, np.arange(40), 3, given=False)
    assert np.array_equal(member_sides(few, shared, 1, 0, given=False)[0], shared.train)


def test_too_few_for_two_sides_share_one_and_it_is_said():
    cohort = open_cohort(many(40), REQUEST)
    sides = development_sides(cohort, np.arange(40), 3, given=True)
    assert sides.tuning.tolist() == sides.calibration.tolist()
    assert len(sides.tuning) == 10
    assert "too few patients for two sides" in sides.note
