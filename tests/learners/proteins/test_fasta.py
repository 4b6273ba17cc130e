import gzip

import pytest

from iatros.core.errors import TableError
from iatros.learners.proteins.fasta import read_fasta

TEXT = """; a remark of old
>one first protein of two lines
MKV
lag
>two

>three
MK7
>one again, the same
MKVLAG
>one other letters
MKV
>
MKV
>four
MUX
"""


def test_every_record_is_read_or_refused_with_its_line(tmp_path):
    path = tmp_path / "some.fasta"
    path.write_text(TEXT)
    found = read_fasta(path)
    assert found.sequences == {"one": "MKVLAG", "four": "MCX"}
    assert found.repeated == 1
    assert [(line, name) for line, name, _ in found.refused] == [
        (5, "two"),
        (7, "three"),
        (11, "one"),
        (13, ""),
    ]
    assert "'7' at position 3" in found.refused[1][2]
    assert "another sequence" in found.refused[2][2]


def test_gzip_and_line_ends_of_windows(tmp_path):
    path = tmp_path / "some.fa.gz"
    path.write_bytes(gzip.compress(b">a\r\nMKV\r\nLA\r\n"))
    assert read_fasta(path).sequences == {"a": "MKVLA"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no protein"),
        (b"MKV\n>a\nMKV\n", "letters stand before the first header"),
        (b">a\n\xff\xfe\xfa", "not text"),
        (gzip.compress(b">a\nMKV\n" * 500)[:-20], "not a whole gzip"),
    ],
)
def test_a_file_that_is_no_fasta_is_refused(tmp_path, content, said):
    path = tmp_path / "bad.fasta"
    path.write_bytes(content)
    with pytest.raises(TableError, match=said):
        read_fasta(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(TableError, match=r"absent\.fasta.*no such file"):
        read_fasta(tmp_path / "absent.fasta")
