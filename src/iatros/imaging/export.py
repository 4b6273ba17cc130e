"""A trained torch network as an ONNX graph that answers alike, without a word about the machine that made it."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from iatros.core.errors import FitError
from iatros.imaging.quantisation import int8_cost, quantise
from iatros.imaging.runtime.network import StoredNetwork
from iatros.imaging.schema import InputSpec

if TYPE_CHECKING:
    import torch

__all__ = ["checked_onnx", "int8_cost", "quantise", "to_onnx"]

TOLERANCE = 1e-4
"""What a stored network may differ by from the trained one, as a share of its largest number where that is above 1.

A logit near 0 is a difference of large terms, and so its error goes by their size and not by its own.
"""

_OPSET = 20
_TALKERS = ("torch", "onnxscript", "onnx_ir")
_TRACED = (3, 5)
"""Batch and slices of the example that is traced: no number that a network has anywhere else, and not 1."""


def to_onnx(network: torch.nn.Module, spec: InputSpec, *, n_columns: int = 0) -> bytes:
    """The graph of `network.parts` from `images` (and `table` (n, n_columns)) to what `StoredNetwork` gives.

    The number of images, and of slices in a sequence, is free; a batch of sequences has equal lengths. The
    same network always gives the same bytes. Raises FitError where torch cannot export the network.
    """
    import torch

    from iatros.imaging.export_recurrent import with_onnx_cells

    images, table = _example(spec, n_columns)
    try:
        with _silence(), torch.no_grad():
            program = torch.onnx.export(
                _named_outputs(with_onnx_cells(network)),
                (images,) if table is None else (images, table),
                dynamo=True,
                verbose=False,
                opset_version=_OPSET,
                input_names=["images"] if table is None else ["images", "table"],
                output_names=list(_outputs(spec)),
                dynamic_shapes=_free_axes(spec, table is not None),
            )
            assert program is not None  # it is None only for the older exporter
            model = program.model_proto
    except torch.onnx.OnnxExporterError as error:
        raise FitError(
            "the network cannot be written as ONNX",
            hint="its operations must not depend on the number of images or on the values in them",
        ) from error
    return _without_traces(model, spec)


def checked_onnx(
    network: torch.nn.Module,
    spec: InputSpec,
    inputs: np.ndarray | Sequence[np.ndarray],
    *,
    table: np.ndarray | None = None,
) -> bytes:
    """`to_onnx`, after asserting that onnxruntime answers as torch does on `inputs`, real images of training.

    `inputs` (n, *shape) or a list of sequences of different length, `table` (n, n_columns). Raises FitError
    where a logit, feature or slice weight differs by more than 1e-4 (of the largest, where that is above 1).
    """
    onnx = to_onnx(network, spec, n_columns=0 if table is None else table.shape[1])
    stored = StoredNetwork(onnx, spec).run(inputs, table)
    for row in range(len(inputs)):
        answered = _torch_answer(network, inputs[row], None if table is None else table[row])
        for name, values in answered.items():
            gap = float(np.abs(values - stored[name][row]).max() / max(1.0, np.abs(values).max()))
            if not gap <= TOLERANCE:
                raise FitError(
                    f"the stored network differs from the trained one by {gap:.1e} in its {name}, "
                    f"allowed {TOLERANCE:.0e}",
                    hint="its numbers may have grown too large; train with a lower learning rate",
                )
    return onnx


def _torch_answer(
    network: torch.nn.Module, image: np.ndarray, row: np.ndarray | None
) -> dict[str, np.ndarray]:
    import torch

    was_training = network.training
    network.eval()
    with torch.no_grad():
        images = torch.from_numpy(np.asarray(image, dtype=np.float32)[None])
        table = None if row is None else torch.from_numpy(np.asarray(row, dtype=np.float32)[None])
        parts: dict[str, Any] = network.parts(images, table)  # type: ignore[operator]
    network.train(was_training)
    return {name: value[0].numpy() for name, value in parts.items()}


def _outputs(spec: InputSpec) -> tuple[str, ...]:
    return ("logits", "features", "slice_weights") if spec.kind == "sequence" else ("logits", "features")


def _example(spec: InputSpec, n_columns: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    import torch

    n, slices = _TRACED
    random = torch.Generator().manual_seed(0)
    leading = (n, slices) if spec.kind == "sequence" else (n,)
    images = torch.rand(*leading, spec.channels, *spec.size, generator=random)
    return images, torch.rand(n, n_columns, generator=random) if n_columns else None


def _free_axes(spec: InputSpec, with_table: bool) -> tuple[dict[int, Any], ...]:
    import torch

    batch = torch.export.Dim("batch")
    images = {0: batch, 1: torch.export.Dim("slices")} if spec.kind == "sequence" else {0: batch}
    return (images, {0: batch}) if with_table else (images,)


def _named_outputs(network: torch.nn.Module) -> torch.nn.Module:
    """`network` with its parts as a tuple in the order of the graph's outputs."""
    import torch

    class Named(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(
            self, images: torch.Tensor, table: torch.Tensor | None = None
        ) -> tuple[torch.Tensor, ...]:
            parts = self.network.parts(images, table)  # type: ignore[operator]
            return tuple(parts[name] for name in ("logits", "features", "slice_weights") if name in parts)

    return Named().eval()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No progress, warnings or log lines of the exporter: nothing in them is news to who trains a network."""
    levels = {name: logging.getLogger(name).level for name in _TALKERS}
    try:
        for name in _TALKERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _without_traces(model: Any, spec: InputSpec) -> bytes:
    """The bytes of `model` without doc strings, metadata, inferred shapes and names that say where it was made."""
    model.ClearField("doc_string")
    model.ClearField("metadata_props")
    model.producer_name, model.producer_version = "iatros", ""
    graph = model.graph
    graph.name = "network"
    graph.ClearField("value_info")
    for part in (graph, *graph.input, *graph.output, *graph.initializer, *graph.node, *model.functions):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    for node in (each for function in model.functions for each in function.node):
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    _name_axes(graph, spec)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _name_axes(graph: Any, spec: InputSpec) -> None:
    """Free axes by name: the exporter leaves counters there, or the length that it happened to trace."""
    sequence = spec.kind == "sequence"
    for value in (*graph.input, *graph.output):
        axes = value.type.tensor_type.shape.dim
        axes[0].dim_param = "batch"
        if (sequence and value.name == "images") or value.name == "slice_weights":
            axes[1].dim_param = "slices"
