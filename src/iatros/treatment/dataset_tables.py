"""How each dataset about treatment becomes one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from iatros.treatment.simulation import simulate

if TYPE_CHECKING:
    import polars as pl


def load_simulated(_: Path) -> pl.DataFrame:
    """One line for each response: subject, treatment, score (0 to 10, more is better), day, and covariates."""
    import polars as pl

    made = simulate()
    subject, treatment = np.nonzero(made.given)
    return pl.DataFrame(
        {
            "subject_id": [f"S{k + 1:04d}" for k in subject],
            "treatment": [f"therapy {chr(ord('A') + k)}" for k in treatment],
            "score": made.y[subject, treatment].round(2),
            "day": made.day[subject, treatment].astype(int),
            "age": made.age[subject].round(1),
            "sex": np.where(made.sex[subject] == 1, "female", "male"),
            "marker": made.marker[subject].round(3),
            "severity": made.severity[subject].round(3),
        }
    )


def load_visits(_: Path) -> pl.DataFrame:
    """One line for each code of a visit: subject, visit, kind (such as medication) and code."""
    import polars as pl

    from iatros.treatment.sequences.simulation import simulate_visits

    return pl.DataFrame(simulate_visits().rows)


def load_gbsg2(_: Path) -> pl.DataFrame:
    """686 women with node-positive breast cancer, of whom 246 had hormone therapy; recurrence-free time in days."""
    import polars as pl

    from iatros.core.errors import MissingExtraError

    try:
        from lifelines.datasets import load_gbsg2 as shipped
    except ModuleNotFoundError:
        raise MissingExtraError(
            "this dataset comes inside the package lifelines", hint="pip install 'iatros[treatment]'"
        ) from None
    return pl.from_pandas(shipped())
