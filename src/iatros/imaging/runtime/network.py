"""A network as it is stored and used: an ONNX graph run by onnxruntime, batch after batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from iatros.core.errors import BundleError, InputError
from iatros.imaging.schema import InputSpec
from iatros.learners.threads import fit_threads

BATCH_SIZE = 64
"""Images (slices, of a sequence) in one call: more need memory and bring no speed."""

_ERRORS_ONLY = 3  # of onnxruntime's log levels


class StoredNetwork:
    """An ONNX graph from `images` (and `table`) to logits, features and, for sequences, slice weights.

    The session is built at the first question. `threads` are all cores that this process may use where not
    given; they share out rows of a result and never a sum, so their number does not change an answer.
    """

    def __init__(self, onnx: bytes, spec: InputSpec, *, threads: int | None = None) -> None:
        self.onnx = onnx
        self.spec = spec
        self.threads = fit_threads() if threads is None else threads

    def run(
        self,
        inputs: np.ndarray | Sequence[np.ndarray],
        table: np.ndarray | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> dict[str, Any]:
        """The outputs for n inputs as `inputs.prepare` makes them, in their order.

        `logits` (n, n_outputs) and `features` (n, n_features) are float32 arrays; for sequences
        `slice_weights` is a list of n arrays (slices,). A sequence may be given as a list, so that the
        studies have different numbers of slices. `table` (n, n_columns) goes with a network that takes one.
        Raises InputError for inputs of another shape, and BundleError where the graph does not fit the spec.
        """
        if len(inputs) == 0:
            raise InputError("there are no images to run the network on")
        self._check(inputs, table)
        parts: dict[str, list[Any]] = {name: [None] * len(inputs) for name in self.outputs}
        for rows in self._batches(inputs, batch_size):
            feeds = {"images": np.stack([inputs[row] for row in rows]).astype(np.float32, copy=False)}
            if table is not None:
                feeds["table"] = np.ascontiguousarray(table[rows], dtype=np.float32)
            for name, values in zip(self.outputs, self._session.run(self.outputs, feeds), strict=True):
                for row, value in zip(rows, values, strict=True):
                    parts[name][row] = value
        return {name: found if name == "slice_weights" else np.stack(found) for name, found in parts.items()}

    @property
    def outputs(self) -> list[str]:
        """Names of what the network puts out."""
        return [output.name for output in self._session.get_outputs()]

    @property
    def n_columns(self) -> int:
        """Columns of the patient table that the network takes; 0 where it takes none."""
        widths = [given.shape[1] for given in self._session.get_inputs() if given.name == "table"]
        return int(widths[0]) if widths else 0

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        # idle threads that spin would take the cores from whatever runs beside this
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(self.onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's classes have no head but Exception
            raise BundleError(
                "a network of the bundle cannot be opened by onnxruntime",
                hint="train again, or update onnxruntime",
            ) from error
        self._fits(session)
        return session

    def _fits(self, session: Any) -> None:
        """Refuse a graph that is none of `to_onnx`, or that was made for another spec."""
        if not {"logits", "features"} <= {output.name for output in session.get_outputs()}:
            raise BundleError("a network of the bundle does not put out logits and features")
        shapes = {given.name: given.shape for given in session.get_inputs()}
        free = 2 if self.spec.kind == "sequence" else 1
        if shapes.get("images", [])[free:] != [self.spec.channels, *self.spec.size]:
            raise BundleError(
                f"a network of the bundle does not take images of shape {_spoken(self.spec)}",
                hint="its manifest belongs to another network; train again",
            )

    def _batches(self, inputs: np.ndarray | Sequence[np.ndarray], batch_size: int) -> Iterator[list[int]]:
        """Rows that are run together; studies with the same number of slices, at most `batch_size` slices."""
        if self.spec.kind != "sequence":
            yield from _cut(list(range(len(inputs))), batch_size)
            return
        lengths = np.array([len(study) for study in inputs])
        for length in np.unique(lengths):
            yield from _cut(np.flatnonzero(lengths == length).tolist(), max(1, batch_size // int(length)))

    def _check(self, inputs: np.ndarray | Sequence[np.ndarray], table: np.ndarray | None) -> None:
        wanted = (self.spec.channels, *self.spec.size)
        for each in inputs:
            shape = np.shape(each)
            inner = shape[1:] if self.spec.kind == "sequence" else shape
            if inner != wanted or 0 in shape:
                raise InputError(f"the network takes inputs of shape {_spoken(self.spec)}, got {shape}")
        columns = self.n_columns
        got = 0 if table is None else table.shape[1]
        if got != columns or (table is not None and len(table) != len(inputs)):
            shape = "no table" if table is None else f"a table of shape {table.shape}"
            takes = f"({len(inputs)}, {columns})" if columns else "none"
            raise InputError(f"the network takes a table of shape {takes} with these images, got {shape}")


def _cut(rows: list[int], size: int) -> Iterator[list[int]]:
    for begin in range(0, len(rows), size):
        yield rows[begin : begin + size]


def _spoken(spec: InputSpec) -> str:
    inner = ", ".join(map(str, (spec.channels, *spec.size)))
    return f"(slices, {inner})" if spec.kind == "sequence" else f"({inner})"
