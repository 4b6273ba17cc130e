import gzip
from pathlib import Path

import numpy as np
import pytest

from iatros.core.errors import RequestError, TableError, UnknownNameError
from iatros.molecules.affinity.sources import Columns, read_pairs

SEQUENCE = "MKVLAGWWYTRE"
TABLE = f"""smiles,sequence,Kd
CCO,{SEQUENCE},10
OCC,{SEQUENCE},1000
CCN,{SEQUENCE},>10000
C1CC,{SEQUENCE},10
CCN,MK7,10

CCC,{SEQUENCE},weak
CCC,{SEQUENCE},
CCCN,{SEQUENCE},<1
CCCC,,5
"""


def write(tmp_path, text, name="pairs.csv"):
    path = Path(tmp_path) / name
    path.write_text(text)
    return path


def test_every_line_ends_as_a_pair_or_is_accounted_for(tmp_path):
    found = read_pairs(write(tmp_path, TABLE), Columns("smiles", "sequence", "Kd", unit="nM"))
    pairs, account = found.pairs, found.account
    by_smiles = {pairs.smiles[d]: (y, b) for d, y, b in zip(pairs.drug, pairs.y, pairs.bound, strict=True)}
    # 10 and 1000 nM are pKd 8 and 6: their median, and a conflict since they are more than ten-fold apart
    assert by_smiles == {"CCO": (7.0, 0), "CCN": (5.0, -1), "CCCN": (9.0, 1)}
    assert (
        account.n_lines
        == account.n_blank + account.n_unmeasured + len(account.refused) + 3 + account.n_merged
    )
    assert (account.n_blank, account.n_unmeasured, account.n_merged, account.n_conflicts) == (1, 1, 1, 1)
    assert [line for line, _ in account.refused] == [5, 6, 8, 11]
    said = [why for _, why in account.refused]
    assert "'7' at position 3" in said[1]
    assert "'weak' is not a number" in said[2]
    assert "there is no sequence" in said[3]
    assert found.lines.tolist() == [2, 4, 10]


def test_proteins_are_named_in_a_fasta_file(tmp_path):
    fasta = Path(tmp_path) / "some.fa.gz"
    fasta.write_bytes(gzip.compress(f">a\n{SEQUENCE}\n>b\nMK?\n".encode()))
    table = write(tmp_path, "smiles,protein,y\nCCO,a,5.5\nCCN,b,6\nCCC,c,7\n")
    found = read_pairs(table, Columns("smiles", "protein", "y", fasta=fasta))
    assert found.pairs.targets == ("a",)
    assert found.pairs.sequences == (SEQUENCE,)
    assert [line for line, _ in found.account.refused] == [3, 4]
    assert "'c' is no record of the FASTA file" in found.account.refused[1][1]
    assert any("line 3: b: protein: '?' at position 3" in note for note in found.account.notes)


def test_targets_of_one_sequence_can_be_told_apart_by_name():
    rows = [
        {"smiles": "CCO", "sequence": SEQUENCE, "gene": "ABL1", "y": 5},
        {"smiles": "CCO", "sequence": SEQUENCE, "gene": "ABL1(T315I)", "y": 8},
        {"smiles": "CCN", "sequence": SEQUENCE[:-1], "gene": "ABL1", "y": 8},
    ]
    found = read_pairs(rows, Columns("smiles", "sequence", "y", target="gene"))
    assert found.pairs.targets == ("ABL1", "ABL1(T315I)")
    assert found.pairs.y.tolist() == [5.0, 8.0]
    assert "another sequence on an earlier line" in found.account.refused[0][1]


def test_pairs_that_are_asked_about_need_no_affinity():
    rows = [{"smiles": "CCO", "sequence": SEQUENCE}, {"smiles": "CCN", "sequence": SEQUENCE}]
    pairs = read_pairs(rows, Columns("smiles", "sequence")).pairs
    assert np.isnan(pairs.y).all()
    assert len(pairs) == 2


def test_a_column_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UnknownNameError, match="sequenc"):
        read_pairs(write(tmp_path, TABLE), Columns("smiles", "sequenc", "Kd"))


def test_a_table_of_nothing_but_refusals_says_why(tmp_path):
    table = write(tmp_path, f"smiles,sequence,Kd\nbenzene,{SEQUENCE},1\nCCO,M-K,2\n")
    with pytest.raises(TableError, match="no pair that can be used"):
        read_pairs(table, Columns("smiles", "sequence", "Kd"))


def test_two_units_and_classes_are_refused():
    rows = [{"smiles": "CCO", "sequence": SEQUENCE, "y": 5}]
    with pytest.raises(RequestError, match="either unit"):
        read_pairs(rows, Columns("smiles", "sequence", "y", unit="nM", unit_column="u"))
    with pytest.raises(RequestError, match="not a class"):
        read_pairs(rows, Columns("smiles", "sequence", "y", unit="class"))
