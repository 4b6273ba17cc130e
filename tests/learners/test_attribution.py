"""SHAP values against shap's own exact explainer, by their axioms, and on real model families."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from iatros.core.errors import InputError
from iatros.core.task import Target
from iatros.learners.attribution import FLOOR, explain_rows, margin, summarise_background
from iatros.learners.background import MIN_PATIENTS
from iatros.learners.tabular.estimators.boosting import Boosting, BoostingParams
from iatros.learners.tabular.estimators.forest import Forest, ForestParams
from iatros.learners.tabular.estimators.logistic import Logistic, LogisticParams
from iatros.learners.tabular.estimators.stack import Ensemble, EnsembleParams
from iatros.learners.tabular.estimators.svm import Svm, SvmParams
from iatros.learners.tabular.predictor import Predictor, load_predictor
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table

TARGETS = {
    "binary": Target("death", "binary", ("no", "yes")),
    "multiclass": Target("stage", "multiclass", ("a", "b", "c")),
    "continuous": Target("dose", "continuous"),
}
FAST = {
    "logistic": lambda: Logistic(LogisticParams()),
    "splines": lambda: Logistic(LogisticParams(splines=4)),
    "forest": lambda: Forest(ForestParams(n_estimators=20)),
    "boosting": lambda: Boosting(BoostingParams(n_bags=2, n_estimators=30)),
}


def numbers(n: int = 300, seed: int = 0) -> tuple[Table, np.ndarray]:
    """Five numeric columns and a score in which two of them interact; the last column is noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)).round(3)
    X[:, 1] = np.exp(X[:, 1])
    score = 1.2 * X[:, 0] + 0.8 * X[:, 1] * (X[:, 2] > 0.3) - 0.5 * X[:, 3]
    table = read_table(pl.DataFrame({f"lab_{j}": X[:, j] for j in range(5)}))
    return table, score + rng.normal(scale=0.7, size=n)


def mixed(n: int = 400, seed: int = 3) -> tuple[Table, np.ndarray]:
    """Numbers with missing values, a category of many levels and one of two, and noise columns."""
    rng = np.random.default_rng(seed)
    lab = np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(size=n))
    columns = {
        "age": rng.normal(60, 10, n).round(),
        "lab": pl.Series(lab).fill_nan(None),
        "sex": rng.choice(["f", "m"], n),
        "ward": rng.choice(list("abcdefgh"), n, p=[0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05]),
    } | {f"noise_{j}": rng.normal(size=n) for j in range(6)}
    score = (columns["age"] - 60) / 8 + np.nan_to_num(np.log(lab)) + 1.5 * (columns["ward"] == "c")
    return read_table(pl.DataFrame(columns)), score + rng.logistic(size=n)


def outcome(target: Target, score: np.ndarray) -> np.ndarray:
    if target.task == "continuous":
        return score
    edges = [0.4] if target.task == "binary" else [-0.6, 1.1]
    return np.digitize(score, edges)


def fitted(kind: str, task: str, table: Table, score: np.ndarray) -> Predictor:
    target = TARGETS[task]
    y = outcome(target, score)
    return FAST[kind]().fit(table, y, target, groups=np.arange(len(y)), seed=1).predictor


def exact_by_shap(
    predictor: Predictor, target: Target, frame: pl.DataFrame, background: pl.DataFrame
) -> np.ndarray:
    """Interventional Shapley values by shap's enumeration of all coalitions."""
    import shap

    def ask(X: np.ndarray) -> np.ndarray:
        return margin(target, predictor.predict(pl.DataFrame(X, schema=frame.columns, orient="row")))

    masker = shap.maskers.Independent(background.to_numpy(), max_samples=background.height)
    return shap.ExactExplainer(ask, masker)(frame.to_numpy()).values


class TestAgainstShap:
    @pytest.mark.parametrize(
        ("kind", "task"),
        [
            ("logistic", "binary"),
            ("logistic", "continuous"),
            ("splines", "binary"),
            ("forest", "continuous"),
            ("boosting", "continuous"),
            ("boosting", "binary"),
        ],
    )
    def test_exact_where_the_margin_adds_up(self, kind: str, task: str) -> None:
        table, score = numbers()
        target = TARGETS[task]
        predictor = fitted(kind, task, table, score)
        frame, background = table.frame[:7], table.frame[100:115]
        explained = explain_rows(predictor, frame, background, columns=frame.columns, target=target)
        assert explained.method.startswith("exact SHAP of")
        wanted = exact_by_shap(predictor, target, frame, background)
        np.testing.assert_allclose(explained.values, wanted, atol=2e-4)

    def test_a_forest_of_probabilities_comes_close(self) -> None:
        """The log-odds of a mean of probabilities do not add up over trees: the rescale rule is near, not equal."""
        table, score = numbers(500)
        y = outcome(TARGETS["binary"], score)
        forest = Forest(ForestParams(n_estimators=100, min_samples_leaf=15))
        predictor = forest.fit(table, y, TARGETS["binary"], groups=np.arange(500), seed=1).predictor
        frame, background = table.frame[:12], table.frame[100:115]
        explained = explain_rows(
            predictor, frame, background, columns=frame.columns, target=TARGETS["binary"]
        )
        assert explained.method.startswith("rescaled SHAP of tree models")
        wanted = exact_by_shap(predictor, TARGETS["binary"], frame, background)
        assert np.corrcoef(explained.values.ravel(), wanted.ravel())[0, 1] > 0.99
        assert np.abs(explained.values - wanted).mean() < 0.15 * np.abs(wanted).mean()

    def test_any_model_with_few_columns_by_all_coalitions(self) -> None:
        table, score = numbers()
        target = TARGETS["binary"]
        y = outcome(target, score)
        predictor = (
            Svm(SvmParams(kernel="rbf")).fit(table, y, target, groups=np.arange(len(y)), seed=1).predictor
        )
        frame, background = table.frame[:4], table.frame[100:112]
        explained = explain_rows(predictor, frame, background, columns=frame.columns, target=target)
        assert "all coalitions of 5 columns" in explained.method
        np.testing.assert_allclose(
            explained.values, exact_by_shap(predictor, target, frame, background), atol=1e-9
        )


class TestAxioms:
    @pytest.mark.parametrize("task", ["binary", "multiclass", "continuous"])
    @pytest.mark.parametrize("kind", list(FAST))
    @pytest.mark.parametrize("method", ["auto", "sampled"])
    def test_base_and_values_add_up_to_the_answer(self, kind: str, task: str, method: str) -> None:
        table, score = mixed()
        target = TARGETS[task]
        predictor = fitted(kind, task, table, score)
        background = summarise_background(table, outcome(target, score), 0)
        frame = table.frame[:12]
        explained = explain_rows(
            predictor, frame, background, columns=frame.columns, target=target, method=method
        )
        prediction = predictor.predict(frame)
        wanted = margin(target, prediction)
        if task == "multiclass":
            wanted = np.array(
                [margin(target, prediction[[i]], int(prediction[i].argmax()))[0] for i in range(12)]
            )
        np.testing.assert_allclose(explained.bases + explained.values.sum(axis=1), wanted, atol=1e-5)
        assert explained.values.shape == (12, table.frame.width)

    def test_the_explained_class(self) -> None:
        table, score = mixed()
        frame, background = table.frame[:30], table.frame[50:60]
        names = frame.columns
        binary = fitted("logistic", "binary", table, score)
        assert (
            explain_rows(binary, frame, background, columns=names, target=TARGETS["binary"]).explained_class
            == "yes"
        )
        several, target = fitted("logistic", "multiclass", table, score), TARGETS["multiclass"]
        assert explain_rows(several, frame, background, columns=names, target=target).explained_class is None
        one = explain_rows(several, frame[:1], background, columns=names, target=target)
        assert one.explained_class == target.classes[several.predict(frame[:1])[0].argmax()]
        assert one.base == pytest.approx(one.bases[0])

    def test_columns_that_the_model_ignores_get_nothing(self) -> None:
        table, score = mixed()
        narrow = table.select(["age", "lab", "ward"])
        target = TARGETS["binary"]
        y = outcome(target, score)
        predictor = FAST["forest"]().fit(narrow, y, target, groups=np.arange(len(y)), seed=1).predictor
        for method in ("auto", "sampled"):
            explained = explain_rows(
                predictor,
                table.frame[:5],
                table.frame[50:60],
                columns=table.frame.columns,
                target=target,
                method=method,
            )
            ignored = [j for j, name in enumerate(table.frame.columns) if name not in narrow.schema.names]
            assert (explained.values[:, ignored] == 0).all()
            assert np.abs(explained.values).sum() > 0

    def test_a_row_like_the_reference_gets_nothing(self) -> None:
        table, score = mixed()
        predictor = fitted("boosting", "binary", table, score)
        one = table.frame[7:8]
        explained = explain_rows(predictor, one, one, columns=one.columns, target=TARGETS["binary"])
        assert (explained.values == 0).all()

    def test_antithetic_permutations_are_exact_for_interactions_of_two(self) -> None:
        """f = x1 x2 + 3 x3 + ... on twelve columns: phi has a closed form for each reference."""
        rng = np.random.default_rng(5)
        weights = rng.normal(size=12)

        class Pairwise:
            def predict(self, frame: pl.DataFrame) -> np.ndarray:
                X = frame.to_numpy()
                return X @ weights + X[:, 0] * X[:, 1] - 2.0 * X[:, 4] * X[:, 7]

        x, r = rng.normal(size=(6, 12)), rng.normal(size=(3, 12))
        names = [f"c{j}" for j in range(12)]
        frame, background = pl.DataFrame(x, schema=names), pl.DataFrame(r, schema=names)
        explained = explain_rows(Pairwise(), frame, background, columns=names, target=TARGETS["continuous"])  # type: ignore[arg-type]
        assert "antithetic" in explained.method
        used = np.zeros((6, 12))
        for reference in r:
            phi = (x - reference) * weights
            for a, b, w in ((0, 1, 1.0), (4, 7, -2.0)):
                joint = w * (x[:, a] * x[:, b] - reference[a] * reference[b])
                alone_a = w * (x[:, a] - reference[a]) * reference[b]
                alone_b = w * (x[:, b] - reference[b]) * reference[a]
                phi[:, a] += 0.5 * (alone_a + joint - alone_b)
                phi[:, b] += 0.5 * (alone_b + joint - alone_a)
            used += phi / 3
        # 64 permutations over 3 references weigh one of them 22, the others 21 times
        np.testing.assert_allclose(explained.values, used, atol=0.05)

    def test_the_seed_decides(self) -> None:
        table, score = mixed()
        predictor = fitted("forest", "binary", table, score)
        background = table.frame[50:80]

        def values(seed: int) -> np.ndarray:
            return explain_rows(
                predictor, table.frame[:3], background, columns=background.columns, target=TARGETS["binary"],
                seed=seed, method="sampled",
            ).values  # fmt: skip

        assert np.array_equal(values(1), values(1))
        assert not np.array_equal(values(1), values(2))


class TestStacks:
    @pytest.mark.parametrize("task", ["binary", "continuous"])
    @pytest.mark.parametrize("combine", ["average", "stack"])
    def test_of_trees_and_linear_models_are_exact(self, task: str, combine: str) -> None:
        table, score = numbers()
        target = TARGETS[task]
        params = EnsembleParams(
            members=("logistic", "forest"), combine=combine, member_params={"forest": {"n_estimators": 20}}
        )
        y = outcome(target, score)
        predictor = Ensemble(params).fit(table, y, target, groups=np.arange(len(y)), seed=1).predictor
        frame, background = table.frame[:5], table.frame[100:120]
        explained = explain_rows(predictor, frame, background, columns=frame.columns, target=target)
        how = "rescaled" if task == "binary" else "exact"
        assert explained.method.startswith(f"{how} SHAP of linear and tree models")
        wanted = margin(target, predictor.predict(frame))
        np.testing.assert_allclose(explained.bases + explained.values.sum(axis=1), wanted, atol=1e-5)
        if task == "continuous":
            exact = exact_by_shap(predictor, target, frame, background)
            np.testing.assert_allclose(explained.values, exact, atol=1e-4)

    def test_with_another_member_are_sampled(self) -> None:
        table, score = numbers()
        target = TARGETS["binary"]
        y = outcome(target, score)
        params = EnsembleParams(members=("logistic", "svm"))
        predictor = Ensemble(params).fit(table, y, target, groups=np.arange(len(y)), seed=1).predictor
        frame = table.frame[:2]
        assert explain_rows(
            predictor, frame, table.frame[50:60], columns=frame.columns, target=target
        ).method.startswith("sampled")


def test_a_stored_model_is_explained_as_the_fitted_one() -> None:
    table, score = mixed()
    for kind in FAST:
        predictor = fitted(kind, "binary", table, score)
        document, files = predictor.save()
        stored = load_predictor(document, files.__getitem__)
        given = {"columns": table.frame.columns, "target": TARGETS["binary"]}
        frame, background = table.frame[:4], table.frame[50:60]
        one, other = (explain_rows(p, frame, background, **given) for p in (predictor, stored))
        np.testing.assert_allclose(one.values, other.values, atol=1e-6)


def test_bad_input() -> None:
    table, score = numbers()
    predictor = fitted("logistic", "binary", table, score)
    given = {"columns": table.frame.columns, "target": TARGETS["binary"]}
    with pytest.raises(InputError, match="no row to explain"):
        explain_rows(predictor, table.frame[:0], table.frame, **given)
    with pytest.raises(InputError, match="no reference row"):
        explain_rows(predictor, table.frame[:1], table.frame[:0], **given)
    with pytest.raises(InputError, match="no explanation method is called 'lime'"):
        explain_rows(predictor, table.frame[:1], table.frame, method="lime", **given)


def test_margin_is_finite_at_certainty() -> None:
    got = margin(TARGETS["binary"], np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(got, [np.log(FLOOR / (1 - FLOOR)), 0.0, -np.log(FLOOR / (1 - FLOOR))])


class TestBackground:
    def test_rows_are_typed_spread_and_nobody(self) -> None:
        table, score = mixed(1500)
        y = outcome(TARGETS["binary"], score)
        background = summarise_background(table, y, 0)
        assert background.height == 64
        assert background.schema == table.frame.schema
        assert set(background["ward"].unique()) <= set(table.frame["ward"].unique())
        assert {"f", "m"} <= set(background["sex"].unique())
        low, high = table.frame["age"].quantile(0.1), table.frame["age"].quantile(0.9)
        assert background["age"].min() < low + 4 < high - 4 < background["age"].max()
        patients = set(table.frame.rows())
        assert not patients & set(background.rows())

    def test_rare_levels_and_few_patients(self) -> None:
        n = 3 * MIN_PATIENTS
        level = ["common"] * (n - MIN_PATIENTS + 1) + ["rare"] * (MIN_PATIENTS - 1)
        table = read_table(pl.DataFrame({"age": np.linspace(20, 90, n), "level": level}))
        background = summarise_background(table, np.arange(n) % 2, 0)
        assert 1 <= background.height <= 3
        assert "rare" not in background["level"].to_list()
        few = table.take(np.arange(MIN_PATIENTS - 1))
        assert summarise_background(few, np.arange(MIN_PATIENTS - 1), 0).height == 1

    def test_missing_stays_missing_and_dates_stay_dates(self) -> None:
        n = 200
        days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 7, 18), eager=True)[:n]
        table = read_table(
            pl.DataFrame(
                {"day": days, "nothing": pl.Series([None] * n, dtype=pl.Float64), "x": np.arange(n) / 7}
            )
        )
        background = summarise_background(table, np.arange(n) % 3, 0)
        assert background["nothing"].null_count() == background.height
        assert background["day"].null_count() == 0
        assert background.schema == table.frame.schema
        assert all(a.date().year == 2020 for a in background["day"].to_list())

    def test_the_same_table_gives_the_same_rows(self) -> None:
        table, score = mixed(300)
        one, other = (summarise_background(table, score, 4) for _ in range(2))
        assert one.equals(other)
        assert [summarise_background(table, score, 4, max_rows=k).height for k in (1, 2, 9)] == [1, 2, 9]
