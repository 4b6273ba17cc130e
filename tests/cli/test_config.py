from __future__ import annotations

import pytest

from iatros.cli.config import MAX_BYTES, read_config
from iatros.core.errors import RequestError


@pytest.fixture
def read(clinic, tmp_path):
    def call(text):
        path = tmp_path / "run.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_config(path, clinic.TrainRequest)

    return call


def test_scalars_stay_text_as_on_the_command_line(read):
    assert read("outcome: yes\nseed: 012\nway: 2020-01-01\nfactor: 1e3\n") == {
        "outcome": "yes",
        "seed": "012",
        "way": "2020-01-01",
        "factor": "1e3",
    }


def test_null_means_not_given(read):
    assert read("outcome: age\ndictionary: null\nseed:\nnames: ~\n") == {"outcome": "age"}
    assert read("") == {}
    assert read("# nothing\n") == {}


def test_lists_are_tuples(read):
    assert read("param: [a=1, 'b=2,3']\n") == {"param": ("a=1", "b=2,3")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("outcom: age", "run.yaml: outcom is not a field of this command; did you mean outcome?"),
        ("zzz: 1", "known: table, outcome"),
        ("out: x", "give --out on the command line"),
        ("outcome: a\noutcome: b", "outcome is given twice"),
        ("- a\n- b", "one `field: value` on each line"),
        ("just words", "one `field: value` on each line"),
        ("outcome: age\n  seed: 1", "run.yaml, line 2: this is not YAML"),
        ("outcome: !!python/object/apply:os.system [id]", "this is not YAML"),
        ("outcome: *nowhere", "this is not YAML"),
        ("[" * 5000, "this is not YAML"),
        (b"\xff\xfe\x00", "this is not YAML"),
        ("#" * (MAX_BYTES + 1), "larger than"),
    ],
)
def test_what_is_wrong_is_said(read, text, message):
    with pytest.raises(RequestError) as caught:
        read(text)
    assert message in str(caught.value)


def test_a_missing_file_is_said(clinic, tmp_path):
    with pytest.raises(RequestError, match="cannot be read"):
        read_config(tmp_path / "no.yaml", clinic.TrainRequest)
