from __future__ import annotations

import gzip

import pytest

from iatros.core.errors import LimitError, TableError
from iatros.molecules.sources import lines
from iatros.molecules.sources.lines import read_lines


def texts(path, notes=None):
    return [(line.number, line.text) for line in read_lines(path, [] if notes is None else notes)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_every_system_are_counted_alike(written, end):
    assert texts(written(f"CCO a{end}{end}CN b")) == [(1, "CCO a"), (2, ""), (3, "CN b")]


def test_gzip_is_known_by_content_not_by_name(written):
    assert texts(written(gzip.compress(b"CCO\nCN\n"), "packed.smi")) == [(1, "CCO"), (2, "CN")]


def test_a_cut_off_gzip_file_gives_what_is_whole_and_says_where_it_ends(written):
    whole = "".join(f"{'C' * (1 + n % 9)}N{'C' * (n % 7)}O{n}\n" for n in range(30_000)).encode()
    packed = gzip.compress(whole)
    notes: list[str] = []
    found = list(read_lines(written(packed[: len(packed) // 2]), notes))
    assert found[-1].problem == "the packed data end here, before their end"
    assert 1000 < len(found) < 30_000
    assert notes == [f"the gzip data end too early, after line {found[-1].number - 1}; what follows is lost"]


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_marks_of_encodings_are_no_part_of_the_first_line(written, codec):
    assert texts(written("CCO äther\n".encode(codec))) == [(1, "CCO äther")]


def test_windows_text_is_read_and_noted(written):
    notes: list[str] = []
    assert texts(written("CCO äther\n".encode("cp1252")), notes) == [(1, "CCO äther")]
    assert notes == ["lines that are not UTF-8 were read as Windows-1252"]


def test_a_line_that_is_too_long_costs_only_itself(written, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_CHARACTERS", 20)
    found = list(read_lines(written(f"CCO\n{'C' * 75}\nCN\n"), []))
    assert [(line.number, line.text) for line in found] == [(1, "CCO"), (2, ""), (3, "CN")]
    assert found[1].problem == "the line is longer than 20 characters"


def test_a_line_of_just_the_allowed_length_is_read(written, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_CHARACTERS", 5)
    assert [line.problem for line in read_lines(written("CCCCC\nCC\nCCCCC"), [])] == ["", "", ""]


def test_a_zero_byte_costs_its_line(written):
    found = list(read_lines(written(b"C" * 5000 + b"\nC\0C\nCN\n"), []))
    assert [bool(line.problem) for line in found] == [False, True, False]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"PK\x03\x04abc", "zip archive"),
        (b"\x80\x04\x95abc", "pickle"),
        (b"BZh91AY", "bzip2"),
        (b"\x1f\x8bxx", "not a whole gzip"),
        (b"\x00\x01\x02", "not text"),
        (gzip.compress(b""), "empty"),
    ],
)
def test_what_is_no_text_is_refused_as_a_whole(written, content, said):
    with pytest.raises(TableError, match=said):
        list(read_lines(written(content), []))


def test_no_such_file_and_a_folder(tmp_path):
    with pytest.raises(TableError, match="no such file"):
        list(read_lines(tmp_path / "none.smi", []))
    with pytest.raises(TableError, match="folder"):
        list(read_lines(tmp_path, []))


def test_limits_on_lines_and_on_text(written, monkeypatch):
    path = written(gzip.compress(b"CCO\n" * 500))
    monkeypatch.setattr(lines, "MAX_LINES", 400)
    with pytest.raises(LimitError, match="400 lines"):
        list(read_lines(path, []))
    monkeypatch.setattr(lines, "MAX_LINES", 10_000)
    monkeypatch.setattr(lines, "MAX_CHARACTERS", 1000)
    with pytest.raises(LimitError, match="1,000 characters"):
        list(read_lines(path, []))
