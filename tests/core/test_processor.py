from __future__ import annotations

import json
import os
import subprocess
import sys
from types import ModuleType

import pytest

from iatros.core.processor import choose_kernels, has_bf16
from iatros.version import __version__

AVX512 = "fpu avx2 avx512f avx512dq avx512bw avx512vl avx512cd avx512_bf16"
COMMAND = (
    "import sys; from iatros.core import processor; early = []\n"
    "processor.choose_kernels = lambda: early.append('numpy' not in sys.modules)\n"
    "from iatros.cli import main\n"
    "try: main(['--version'])\n"
    "finally: assert early == [True], early"
)
KERNELS = (
    "import json, os; from iatros.core.processor import choose_kernels; choose_kernels()\n"
    "import numpy; from threadpoolctl import threadpool_info\n"
    "kernels = [one['architecture'] for one in threadpool_info() if one['internal_api'] == 'openblas']\n"
    "print(json.dumps([os.environ.get('OPENBLAS_CORETYPE'), kernels]))"
)


def described(folder, *, vendor="AuthenticAMD", family="26", flags=AVX512):
    file = folder / "cpuinfo"
    one = f"processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: {family}\nflags\t\t: {flags}\npower management:\n\n"
    file.write_text(one + "processor\t: 1\nvendor_id\t: another\nflags\t\t: none\n\n")
    return file


def chosen(monkeypatch, file, **environment):
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    choose_kernels(environment, file)
    return environment.get("OPENBLAS_CORETYPE")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx512_bf16", True), ("fpu amx_bf16", True), ("fpu avx2", False), ("", False)],
)
def test_bf16_is_read_off_the_flags(tmp_path, flags, expected):
    assert has_bf16(described(tmp_path, flags=flags)) is expected
    assert has_bf16(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("processor", "expected"),
    [
        ({}, "SKYLAKEX"),
        ({"family": "27"}, "SKYLAKEX"),
        ({"family": "25"}, None),
        ({"family": "unknown"}, None),
        ({"vendor": "GenuineIntel"}, None),
        ({"flags": AVX512.replace("avx512vl ", "")}, None),
    ],
)
def test_kernels_are_chosen_where_openblas_does_not_know_the_processor(
    tmp_path, monkeypatch, processor, expected
):
    assert chosen(monkeypatch, described(tmp_path, **processor)) == expected


def test_a_choice_of_the_user_stands(tmp_path, monkeypatch):
    assert chosen(monkeypatch, described(tmp_path), OPENBLAS_CORETYPE="Haswell") == "Haswell"


def test_nothing_is_chosen_where_nothing_is_known(tmp_path, monkeypatch):
    assert chosen(monkeypatch, tmp_path / "absent") is None


def test_nothing_is_chosen_once_numpy_is_there(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", ModuleType("numpy"))
    environment: dict[str, str] = {}
    choose_kernels(environment, described(tmp_path))
    assert environment == {}


def test_a_command_chooses_before_numpy_is_imported():
    run = subprocess.run(
        [sys.executable, "-c", COMMAND], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == __version__


def test_openblas_takes_what_was_chosen():
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    run = subprocess.run(
        [sys.executable, "-c", KERNELS],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=60,
    )
    choice, kernels = json.loads(run.stdout)
    if choice is None:
        pytest.skip("OpenBLAS knows this processor, or there is no AVX-512")
    assert {one.upper() for one in kernels} == {choice}
