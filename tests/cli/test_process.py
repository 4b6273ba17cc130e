"""Commands run as processes of their own: signals, closed pipes, and what a start costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CLINIC = Path(__file__).resolve().parents[1] / "app"
START = (
    f"import sys; sys.path.insert(0, {str(CLINIC)!r})\n"
    "from iatros.app.domains import DOMAINS; DOMAINS['clinic'] = 'clinic:DOMAIN'\n"
    "from iatros.cli import main; main()\n"
)


def start(*tokens, cwd, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", START, *map(str, tokens)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "iatros-home")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_leaves_nothing_half_written(ages, tmp_path, number, code):
    process = start("clinic", "train", ages, "--outcome", "age", cwd=tmp_path, CLINIC_SLOW="0.3")
    assert process.stderr.readline() == "note: step 0\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert out == ""
    assert "Traceback" not in err
    if number == signal.SIGINT:
        assert err.splitlines()[-1] == "iatros: interrupted; no output was written"
    assert visible(tmp_path) == ["ages.csv"]


def test_an_interrupt_ends_workers_at_once(ages, tmp_path):
    tokens = ("clinic", "train", ages, "--outcome", "age", "--engine", "processes", "--workers", "2")
    process = start(*tokens, cwd=tmp_path, CLINIC_NAP="50")
    assert process.stderr.readline() == "note: napping\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert visible(tmp_path) == ["ages.csv"]


def test_a_closed_pipe_is_no_error(bundle, tmp_path):
    many = tmp_path / "many.csv"
    many.write_text("name,age\n" + "x,1\n" * 20000)
    process = start("clinic", "predict", bundle, many, "--json", cwd=tmp_path)
    process.stdout.read(1)
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=30) == 141
    assert err == ""


def test_output_that_is_not_utf8_stays_json(ages, tmp_path):
    tokens = ("clinic", "train", ages, "--outcome", "age", "--names", "Änne", "--json")
    process = start(*tokens, cwd=tmp_path, PYTHONIOENCODING="ascii")
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert '"\\u00c4nne"' in out


@pytest.mark.parametrize("tokens", [["--help"], ["risk", "--help"]])
def test_help_imports_nothing_heavy(tokens, tmp_path):
    code = (
        "import sys\n"
        "from iatros.cli.entry import run\n"
        f"run({tokens!r})\n"
        "heavy = {'torch', 'sklearn', 'pandas', 'polars', 'numpy', 'scipy', 'pydantic', 'yaml', 'fastapi'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stderr.strip() == "[]"
    assert "Usage" in done.stdout


def test_import_is_light(tmp_path):
    code = "import sys, iatros; iatros.__version__; print(sorted({'numpy', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_help_is_quick(tmp_path):
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "iatros", "--help"], cwd=tmp_path, capture_output=True, check=True
        )
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 0.5


def test_python_m_iatros(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "iatros", "--version"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout.strip()[0].isdigit()
