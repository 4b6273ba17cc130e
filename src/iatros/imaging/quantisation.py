"""A stored network in 8-bit integers, and what that costs in accuracy."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from iatros.core.errors import FitError
from iatros.core.intervals import Metric, delong_paired, group_codes, paired_bootstrap
from iatros.core.metrics.evaluate import evaluate
from iatros.core.task import Target
from iatros.imaging.pooling import as_convolutions

MAX_CALIBRATION = 256
"""Images that ranges are read off at most, evenly taken from those given."""

_BATCH = 32
_OPERATIONS = ("Conv", "Gemm", "MatMul")
"""What is worth 8 bits; a graph with none of them gets no 8-bit form."""
_METRIC = {"binary": "auroc", "multiclass": "accuracy", "continuous": "mae"}


def quantise(
    onnx: bytes, calibration_inputs: np.ndarray | list[np.ndarray], *, table: np.ndarray | None = None
) -> bytes:
    """The network of `to_onnx` with 8-bit activations and 7-bit weights, one scale for each filter.

    `calibration_inputs` are prepared images of training, (n, *shape) or a list of sequences, with the rows of
    `table` (n, n_columns) where the network takes one; the ranges of all activations are read off 256 of them
    at most. The first convolution and the layer that gives the logits stay in float, and so do recurrent
    layers; average pooling becomes convolutions, which are faster. Weights use 7 of their 8 bits, so that
    processors without VNNI instructions, which add pairs of products in 16 bits, get the same sums as those with
    them. Raises FitError, with the reason, where the network cannot be brought to 8 bits.
    """
    if len(calibration_inputs) == 0:
        raise FitError("8-bit ranges are read off images, and none were given")
    feeds = _feeds(calibration_inputs, table)
    try:
        with _silence(), tempfile.TemporaryDirectory() as folder:
            content = _quantised(onnx, feeds, Path(folder))
    except FitError:
        raise
    except Exception as error:  # onnxruntime's quantiser raises whatever it meets
        raise FitError(
            f"onnxruntime cannot bring this network to 8 bits ({type(error).__name__})",
            hint="train with int8 off; the network itself is stored and answers as it is",
        ) from error
    return content


def _quantised(onnx: bytes, feeds: list[dict[str, np.ndarray]], folder: Path) -> bytes:
    from onnx import load_from_string
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    before, ready, after = folder / "float.onnx", folder / "ready.onnx", folder / "int8.onnx"
    before.write_bytes(onnx)
    # the graph's free axes have names that the symbolic inference of shapes cannot count with
    quant_pre_process(before, ready, skip_symbolic_shape=True)
    prepared = load_from_string(ready.read_bytes())
    in_float = _kept_in_float(prepared.graph)
    as_convolutions(prepared)
    ready.write_bytes(prepared.SerializeToString(deterministic=True))
    quantize_static(
        ready,
        after,
        _Reader(feeds),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=in_float,
        calibrate_method=CalibrationMethod.MinMax,
    )
    model = load_from_string(after.read_bytes())
    if not any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        raise FitError("the network has no layer that would gain from 8 bits")
    return _plain(model)


def _plain(model: Any) -> bytes:
    """The model without what the quantiser notes about itself."""
    model.producer_name, model.producer_version = "iatros", ""
    model.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _kept_in_float(graph: Any) -> list[str]:
    """Names of the first convolution and of the layer that gives the logits."""
    weighty = [node for node in graph.node if node.op_type in _OPERATIONS]
    if not weighty:
        raise FitError("the network has no layer that would gain from 8 bits")
    makers = {output: node for node in graph.node for output in node.output}
    last = makers["logits"]
    while last.op_type not in _OPERATIONS and last.input[0] in makers:
        last = makers[last.input[0]]  # a bias that is added by itself
    return [weighty[0].name, last.name]


def _feeds(inputs: np.ndarray | list[np.ndarray], table: np.ndarray | None) -> list[dict[str, np.ndarray]]:
    kept = np.unique(np.linspace(0, len(inputs) - 1, MAX_CALIBRATION).round().astype(int))
    sequences = isinstance(inputs, list)
    rows = (
        [kept[i : i + 1] for i in range(len(kept))]
        if sequences
        else np.array_split(kept, -(-len(kept) // _BATCH))
    )
    feeds = []
    for chosen in rows:
        feed = {"images": np.stack([inputs[row] for row in chosen]).astype(np.float32)}
        if table is not None:
            feed["table"] = np.ascontiguousarray(table[chosen], dtype=np.float32)
        feeds.append(feed)
    return feeds


class _Reader:
    """Batches one after the other, as onnxruntime's quantiser asks for them."""

    def __init__(self, feeds: list[dict[str, np.ndarray]]) -> None:
        self._left = iter(feeds)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No advice of the quantiser on the root logger or on the screen."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)


def int8_cost(
    target: Target,
    y: np.ndarray,
    fp32: np.ndarray,
    int8: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    confidence_level: float = 0.95,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> dict[str, Any]:
    """What 8 bits cost on the same patients: the metric of both forms and int8 minus fp32, each with its interval.

    `fp32` and `int8` are calibrated predictions as in `Target`. The metric is AUROC (binary; the difference
    by DeLong where no group repeats), accuracy (multiclass) or mean absolute error in the outcome's unit
    (continuous); the other differences come from a bootstrap over `groups`. `largest_difference` is between
    two predictions of one image.
    """
    name = _METRIC[target.task]
    common: dict[str, Any] = {
        "groups": groups, "confidence_level": confidence_level, "n_bootstrap": n_bootstrap, "seed": seed,
    }  # fmt: skip
    forms = {
        form: evaluate(target, y, values, **common)[name].document()
        for form, values in (("fp32", fp32), ("int8", int8))
    }
    return {
        "metric": name,
        "n": len(y),
        **forms,
        "difference": _difference(target, np.asarray(y), fp32, int8, common).document(),
        "largest_difference": float(np.abs(np.asarray(fp32) - np.asarray(int8)).max()),
    }


def _difference(
    target: Target, y: np.ndarray, fp32: np.ndarray, int8: np.ndarray, common: dict[str, Any]
) -> Metric:
    """int8 minus fp32."""
    n_groups = group_codes(common["groups"], len(y))[1]
    if target.task == "binary" and n_groups == len(y):
        value, low, high, _ = delong_paired(y, int8, fp32, common["confidence_level"])
        return Metric(value, low, high, len(y), int(np.sum(y)), "paired DeLong")
    statistic = {"binary": _auroc, "multiclass": _accuracy, "continuous": _mae}[target.task]
    return paired_bootstrap(statistic, y, int8, fp32, **common)


def _auroc(y: np.ndarray, p: np.ndarray) -> float:
    return delong_paired(y, p, np.zeros(len(y)))[0] + 0.5


def _accuracy(y: np.ndarray, p: np.ndarray) -> float:
    return float(np.mean(p.argmax(axis=1) == y))


def _mae(y: np.ndarray, value: np.ndarray) -> float:
    return float(np.mean(np.abs(y - value)))
