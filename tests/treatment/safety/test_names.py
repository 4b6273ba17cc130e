import pytest
from hypothesis import given
from hypothesis import strategies as st

from iatros.core.errors import TableError
from iatros.treatment.safety.chains import Step, contents, ends
from iatros.treatment.safety.names import as_atc, condition_key, folded, list_of, prefixes, split_names


@given(st.text(max_size=30))
def test_one_spelling_stays_one(text):
    once = folded(text)
    assert folded(once) == once
    assert folded(f"\u200b \t{text}\n ") == once


@pytest.mark.parametrize(
    "text",
    [
        "CO-TRIMOXAZOLE",
        "co\u2011trimoxazole",
        " Co\u2013Trimoxazole ",
        "co-\u200btrimoxazole",
        "ｃｏ-trimoxazole",
    ],
)
def test_case_width_dashes_and_invisible_characters_do_not_count(text):
    assert folded(text) == "co-trimoxazole"


def test_codes():
    assert [as_atc(text) for text in ("B", "atc:b01", "ATC: B01AA03", "B01AA3", "warfarin", "")] == [
        "B", "B01", "B01AA03", None, None, None,
    ]  # fmt: skip
    assert prefixes("M01AE01") == ["M", "M01", "M01A", "M01AE", "M01AE01"]
    assert condition_key("K25.1") == condition_key("k251")
    assert condition_key("type 2 diabetes. Old") == "type 2 diabetes. old"


def test_commas_part_only_what_is_no_name_itself():
    known = {"insulin, human"}.__contains__
    assert split_names("insulin, human", known) == ("insulin, human",)
    assert split_names("insulin, human; a,b ;; ", known) == ("insulin, human", "a", "b")
    assert list_of(" None ", known) == ()


def steps(*pairs):
    return [
        Step(a, b, a.upper(), b.upper(), f"s.csv, line {line}") for line, (a, b) in enumerate(pairs, start=2)
    ]


def test_chains_are_followed_to_their_end_in_any_order():
    assert ends(steps(("c", "d"), ("a", "b"), ("b", "c"), ("x", "x")), "synonyms") == {
        "a": "d",
        "b": "d",
        "c": "d",
    }
    # two ways that meet are one end
    assert ends(steps(("a", "b"), ("a", "c"), ("b", "c")), "synonyms") == {"a": "c", "b": "c"}


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_a_circle_is_named_with_its_lines(order):
    pairs = [("lead", "a"), ("a", "b"), ("b", "c"), ("c", "a")]
    with pytest.raises(TableError) as raised:
        ends([steps(*pairs)[at] for at in order], "synonyms")
    said = raised.value
    assert "synonyms go in a circle" in said.message
    names = said.message.partition(": ")[2].split(" -> ")
    assert names[0] == names[-1]
    assert set(names) == {"A", "B", "C"}
    assert sorted(said.hint.partition(": ")[2].split("; ")) == [
        "s.csv, line 3",
        "s.csv, line 4",
        "s.csv, line 5",
    ]


def test_a_name_with_two_ends_is_refused_with_both_lines():
    with pytest.raises(TableError, match=r"'A' stands for 'B' .s\.csv, line 2. and for 'C'") as raised:
        ends(steps(("a", "b"), ("a", "c")), "synonyms")
    assert raised.value.where == "s.csv, line 3"


def test_long_chains_need_no_deep_recursion():
    n = 20_000
    found = ends(steps(*((f"n{k}", f"n{k + 1}") for k in range(n))), "synonyms")
    assert found["n0"] == f"n{n}"


def test_contents_are_taken_to_the_bottom():
    assert contents(steps(("kit", "pill"), ("pill", "a"), ("pill", "b")), "ingredients")["kit"] == {
        "pill",
        "a",
        "b",
    }
    with pytest.raises(TableError, match="circle"):
        contents(steps(("a", "a")), "ingredients")
