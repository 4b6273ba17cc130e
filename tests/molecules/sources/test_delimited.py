from __future__ import annotations

import pytest

from iatros.core.errors import RequestError, SchemaError, UnknownNameError
from iatros.molecules.schema import BLANK
from iatros.molecules.sources import open_compounds
from iatros.molecules.sources.columns import Wanted


def entries(path, **wanted):
    return list(open_compounds(path, Wanted(**wanted)).entries)


def short(path, **wanted):
    return [(e.line, e.structure, e.name, e.refusal) for e in entries(path, **wanted)]


def test_a_smiles_file_is_a_structure_and_the_rest_a_name(written):
    path = written("CCO ethanol 96 %\nCN\tmethyl amine\nCC\n\n# note\n")
    assert short(path) == [
        (1, "CCO", "ethanol 96 %", ""),
        (2, "CN", "methyl amine", ""),
        (3, "CC", "", ""),
        (4, "", "", BLANK),
        (5, "", "", "a comment, not a compound"),
    ]


def test_an_extension_of_smiles_belongs_to_the_structure(written):
    assert short(written("C[C@H](N)O |&1:1| mixed\n")) == [(1, "C[C@H](N)O |&1:1|", "mixed", "")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_noticed(written, delimiter):
    text = "\n".join(
        delimiter.join(row) for row in (("id", "SMILES", "x"), ("a", "CCO", "1"), ("b", "CN", "2"))
    )
    assert short(written(text, "table.csv")) == [(2, "CCO", "a", ""), (3, "CN", "b", "")]


def test_a_header_in_a_smiles_file_is_no_compound(written):
    assert short(written("smiles name\nCCO a\nCN b\n")) == [(2, "CCO", "a", ""), (3, "CN", "b", "")]


def test_a_table_of_one_column_without_header(written):
    assert short(written("CCO\nCN\n", "bare.csv")) == [(1, "CCO", "", ""), (2, "CN", "", "")]


def test_columns_that_were_asked_for(written):
    path = written("smiles,core,kind,IC50,rel,u\nCCO,CN,k,5,>,nM\n", "table.csv")
    (entry,) = entries(path, smiles="core", identifier="kind", activity="IC50", relation="rel", unit="u")
    assert entry[:6] == (2, "CN", "k", "5", ">", "nM")


def test_a_column_that_is_not_there_names_the_nearest(written):
    path = written("smiles,pIC50\nCCO,5\n", "table.csv")
    with pytest.raises(UnknownNameError, match="did you mean pIC50"):
        entries(path, activity="pIC5")


def test_a_column_that_is_there_twice(written):
    with pytest.raises(SchemaError, match="'y' 2 times"):
        entries(written("smiles,y,y\nCCO,1,2\n", "table.csv"), activity="y")


def test_a_table_without_a_column_of_structures(written):
    with pytest.raises(RequestError, match="no column that is known to hold structures"):
        entries(written("id,molecule\na,CCO\n", "table.csv"))
    assert short(written("id,molecule\na,CCO\n", "table.csv"), smiles="molecule") == [(2, "CCO", "a", "")]


def test_a_bare_file_has_no_columns(written):
    with pytest.raises(RequestError, match="'y' was asked for"):
        entries(written("CCO\nCN\n"), activity="y")


def test_a_line_of_another_width_is_refused_and_the_rest_read(written):
    path = written("smiles,y\nCCO,1\nCN\nCC,1,2\nCCC,3,\n,\n", "table.csv")
    assert short(path) == [
        (2, "CCO", "", ""),
        (3, "", "", "the line has 1 cell(s) where the header has 2"),
        (4, "", "", "the line has 3 cell(s) where the header has 2"),
        (5, "CCC", "", ""),
        (6, "", "", BLANK),
    ]


def test_quoted_cells_hold_delimiters_quotes_and_line_ends(written):
    text = 'name,smiles\n"2,4-di ""x""",CCO\n"two\nlines",CN\nlast,CC\n'
    assert short(written(text, "table.csv")) == [
        (2, "CCO", '2,4-di "x"', ""),
        (3, "CN", "two\nlines", ""),
        (5, "CC", "last", ""),
    ]


def test_a_quote_that_does_not_close_costs_its_own_line(written):
    text = 'name,smiles\n"open,CCO\nb,CN\n"again,CC\nd,CCC\n'
    assert short(written(text, "table.csv")) == [
        (2, "", "", "a quote in the line does not close"),
        (3, "CN", "b", ""),
        (4, "", "", "a quote in the line does not close"),
        (5, "CCC", "d", ""),
    ]


def test_a_quote_inside_a_word_is_only_a_quote(written):
    assert short(written('name,smiles\n5" nail,CCO\n', "table.csv")) == [(2, "CCO", '5" nail', "")]
