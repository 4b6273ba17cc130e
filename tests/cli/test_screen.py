from __future__ import annotations

import io

import pytest
from rich.console import Console

from iatros.app import Finished
from iatros.cli.progress import BarProgress, LineProgress, open_progress
from iatros.cli.screen import (
    counted,
    first_rows,
    funnel_table,
    metric_table,
    model_table,
    number,
    printable,
    refused_table,
    show,
    site_table,
)


def drawn(table):
    console = Console(file=io.StringIO(), width=160, markup=False, highlight=False)
    console.print(table)
    return console.file.getvalue()


def metric(value, low=None, high=None, **more):
    return {"value": value, "low": low, "high": high, **more}


def test_metrics_stand_with_their_interval_by_split():
    text = drawn(
        metric_table(
            {
                "tuning": {"auroc": metric(0.91234, 0.88, 0.94, n=120, n_events=30)},
                "held_out": {"auroc": metric(0.9, None, None, n=1200), "mae": metric(None, None, None)},
            }
        )
    )
    assert "0.912 [0.880, 0.940]" in text
    assert "held out" in text
    assert "120 (30)" in text
    assert "1,200" in text
    assert "–" in text


def test_metrics_are_over_patients_or_over_compounds():
    values = {"held_out": {"rmse": metric(0.7, 0.5, 0.9, n=223)}}
    classes = {"held_out": {"auroc": metric(0.7, 0.5, 0.9, n=223, n_events=20)}}
    for domain, word in (("risk", "patients"), ("molecules", "compounds")):
        assert f"{word} (events)" in drawn(metric_table(classes, counted({"domain": domain})))
        text = drawn(metric_table(values, counted({"domain": domain})))
        assert word in text
        assert "(events)" not in text


def test_a_funnel_shows_what_each_step_left():
    text = drawn(
        funnel_table([{"step": "written", "n": 1200}, {"step": "valid", "n": 600, "share": 0.5}])
    ).splitlines()
    assert any("written" in line and "1,200" in line for line in text)
    assert any("valid" in line and "600" in line and "50.0%" in line for line in text)
    assert funnel_table([]) is None
    assert funnel_table(None) is None


@pytest.mark.parametrize("metrics", [None, {}, [], {"auroc": 0.5}])
def test_other_shapes_make_no_table(metrics):
    assert metric_table(metrics) is None


def test_models_are_compared_by_their_first_metric():
    models = [
        {"name": "forest", "selected": True, "metrics": {"held_out": {"auroc": metric(0.9, 0.8, 0.95)}}},
        {"name": "logistic", "selected": False, "metrics": {"held_out": {"auroc": metric(0.85, 0.8, 0.9)}}},
        {"name": "failed", "metrics": {}},
    ]
    text = drawn(model_table({"models": models}))
    assert "0.900 [0.800, 0.950]" in text
    assert "yes" in text
    assert "failed" in text
    assert model_table({"models": models[:1]}) is None
    assert model_table({}) is None


def test_sites_show_what_was_pooled():
    sites = {
        "va": {
            "n": 200,
            "n_events": 149,
            "auroc": metric(0.73, 0.6, 0.8),
            "brier": metric(0.2),
            "oe_ratio": metric(1.1),
        },
        "[bold]x": {"n": 2, "auroc": metric(None), "oe_ratio": metric(2.0)},
    }
    text = drawn(site_table({"sites": sites, "pooled": {"auroc": {}, "oe_ratio": {}}}))
    assert "brier" not in text
    assert "[bold]x" in text
    assert "1.100" in text
    assert site_table({"sites": None}) is None


def test_what_was_refused_says_where_the_rest_is():
    refused = [{"name": f"line {n}", "reason": "empty"} for n in range(12)]
    assert refused_table([]) is None
    assert "line 9" in drawn(refused_table(refused))
    assert "line 10" not in drawn(refused_table(refused))
    assert "2 more; --json gives all" in " ".join(drawn(refused_table(refused, 12)).split())
    assert "1,290 more; --out FOLDER gives all" in " ".join(drawn(refused_table(refused, 1300)).split())


def test_no_cell_moves_the_cursor():
    text = drawn(first_rows({"na\x1b[2Jme": ["\x1b[31mred", None, 0.25, ["a", "b"]]}))
    assert "\x1b" not in text
    assert "na?[2Jme" in text
    assert "0.250" in text
    assert "a; b" in text
    assert printable("a\nb\x07") == "a?b?"


def test_notes_that_were_told_are_not_repeated(capsys):
    show(Finished({"notes": ["first", "second"]}), as_json=False, told=["first"])
    assert capsys.readouterr().out == "note: second\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (12.3456, "12.346"), (12345.6, "12,346"), (None, "–"), (0.5, "0.500")],
)
def test_numbers(value, text):
    assert number(value) == text
    if value is not None:
        assert number(value, signed=True) == f"+{text}"


def test_line_progress_tells_slow_steps_and_notes(capsys, monkeypatch):
    from iatros.cli import progress as module

    monkeypatch.setattr(module, "SHORT_S", 0.0)
    progress = LineProgress()
    with progress.step("fitting", total=2) as step:
        step.advance()
    progress.note("three rows were refused")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("fitting: 0.0 s\nnote: three rows")
    assert progress.told == ["three rows were refused"]


def test_bars_nest_and_close(capsys):
    progress = BarProgress()
    progress.note("before")
    with progress.step("outer", total=2) as outer:
        with progress.step("inner [not markup]") as inner:
            inner.advance(3)
        outer.advance()
        progress.note("during [not markup]")
    progress.close()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "note: before" in captured.err
    assert "note: during [not markup]" in captured.err
    assert progress.told == ["before", "during [not markup]"]


def test_off_a_terminal_there_are_no_bars():
    with open_progress(quiet=False) as progress:
        assert isinstance(progress, LineProgress)
    with open_progress(quiet=True) as progress:
        progress.note("unheard")
        assert list(progress.told) == []
