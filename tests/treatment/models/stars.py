"""Thirty-five stars of nine subjects for six treatments; what scikit-surprise 1.1.5 says about eight other pairs."""

from __future__ import annotations

import numpy as np
from tests.treatment.models.matrices import known, names

from iatros.treatment.responses.schema import Ask, Responses, Treatments

SUBJECT = [
    0,
    0,
    1,
    1,
    1,
    1,
    2,
    2,
    2,
    2,
    3,
    3,
    3,
    3,
    4,
    4,
    4,
    4,
    5,
    5,
    5,
    5,
    5,
    6,
    6,
    6,
    6,
    7,
    7,
    7,
    8,
    8,
    8,
    8,
    8,
]
TREATMENT = [
    3,
    4,
    0,
    3,
    4,
    5,
    0,
    1,
    2,
    3,
    2,
    3,
    4,
    5,
    0,
    1,
    2,
    5,
    0,
    1,
    2,
    3,
    5,
    0,
    1,
    3,
    4,
    0,
    4,
    5,
    0,
    2,
    3,
    4,
    5,
]
STARS = [
    3,
    2,
    2,
    1,
    2,
    5,
    3,
    2,
    3,
    5,
    2,
    3,
    3,
    4,
    3,
    4,
    3,
    4,
    5,
    1,
    3,
    3,
    2,
    2,
    1,
    3,
    5,
    1,
    3,
    5,
    5,
    2,
    1,
    4,
    1,
]

ASKED = [(0, 0), (0, 1), (0, 2), (0, 5), (1, 1), (1, 2), (2, 4), (2, 5)]
BASELINE_ONLY = [
    2.883219513,
    2.569708822,
    2.731729226,
    3.070400265,
    2.519518308,
    2.681538712,
    3.103159186,
    3.216325346,
]
"""`BaselineOnly()`: alternating least squares, 10 epochs, reg_i 10, reg_u 15."""
KNN_OF_ITEMS = [
    1.925985408,
    2.569708822,
    2.956413842,
    3.29508488,
    4.499308558,
    2.034358798,
    3.074014592,
    2.753372277,
]
"""`KNNBaseline(k=2, sim_options={"name": "pearson_baseline", "user_based": False, "shrinkage": 5})`."""
KNN_OF_USERS = [
    2.050190515,
    2.569708822,
    1.936954184,
    4.403280726,
    3.766783608,
    2.312053265,
    4.760328154,
    2.495527731,
]
"""The same with `"user_based": True`."""
LIKE_FIRST_ITEM = [1.0, -0.119532, -0.17093, -0.091597, 0.060276, -0.39886]
LIKE_FIRST_USER = [1.0, 0.041801, 0.0, 0.057988, 0.0, 0.0, -0.157808, 0.0, -0.11775]


def responses() -> Responses:
    return Responses(
        names("s", 9), names("t", 6), np.array(SUBJECT), np.array(TREATMENT), np.array(STARS, float)
    )


def asked() -> Ask:
    subject, treatment = np.array(ASKED).T
    return Ask(known(np.arange(9)), Treatments(np.arange(6)), subject, treatment)
