"""What a killed training goes on from: weights, averages, optimiser and history, as safetensors and JSON."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from iatros.core.arrays import pack_arrays, plain, unpack_arrays
from iatros.core.errors import BundleError, ConflictError
from iatros.core.storage import write_file

_DOCUMENT = "state.json"


@dataclass
class State:
    """The state at the end of an epoch: named arrays, and plain values (`epoch` among them)."""

    arrays: dict[str, np.ndarray]
    document: dict[str, Any]


class Checkpoint:
    """A folder that holds the last finished epoch; `identity` is what must be the same for going on."""

    def __init__(self, folder: Path | None, identity: dict[str, Any]) -> None:
        self.folder = folder
        text = json.dumps(plain(identity), sort_keys=True)
        self.identity = hashlib.sha256(text.encode()).hexdigest()

    def save(self, state: State) -> None:
        """Keep `state`; a kill in the middle leaves the one before."""
        if self.folder is None:
            return
        arrays = self.folder / f"epoch-{state.document['epoch']}.safetensors"
        write_file(arrays, pack_arrays(state.arrays), overwrite=True)
        document = {"identity": self.identity, "arrays": arrays.name, **state.document}
        # allow_nan: scores that are not defined, and losses before the first epoch
        write_file(self.folder / _DOCUMENT, json.dumps(document).encode(), overwrite=True)
        for other in self.folder.glob("epoch-*.safetensors"):
            if other.name != arrays.name:
                with contextlib.suppress(OSError):
                    other.unlink()

    def load(self) -> State | None:
        """The kept state, or None where none was; ConflictError where another training began it."""
        if self.folder is None or not (self.folder / _DOCUMENT).is_file():
            return None
        try:
            document = json.loads((self.folder / _DOCUMENT).read_bytes())
            arrays = unpack_arrays((self.folder / Path(document["arrays"]).name).read_bytes())
        except (OSError, ValueError, KeyError, BundleError) as error:
            raise ConflictError(
                "the checkpoint cannot be read",
                where=str(self.folder),
                hint="delete the folder to begin anew",
            ) from error
        if document["identity"] != self.identity:
            raise ConflictError(
                "the checkpoint was begun with other data or other settings",
                where=str(self.folder),
                hint="go on with those, or delete the folder to begin anew",
            )
        return State(arrays, document)


def digest(*arrays: np.ndarray | None) -> str:
    """SHA-256 of arrays, with their types and shapes."""
    total = hashlib.sha256()
    for array in arrays:
        if array is not None:
            total.update(f"{array.dtype.str}{array.shape}".encode())
            total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def numpy_state(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Tensors as arrays, their names behind `prefix`."""
    return {f"{prefix}/{name}": value.detach().numpy() for name, value in tensors.items()}


def torch_state(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """The reverse of `numpy_state`."""
    start = f"{prefix}/"
    return {
        name.removeprefix(start): torch.from_numpy(value)
        for name, value in arrays.items()
        if name.startswith(start)
    }


def optimiser_arrays(optimiser: torch.optim.Optimizer, names: dict[int, str]) -> dict[str, np.ndarray]:
    """The moments and step counts of AdamW by the name of each parameter (`names`: id to name)."""
    return {
        f"optimiser/{key}/{names[id(parameter)]}": value.detach().numpy()
        for parameter, kept in optimiser.state.items()
        for key, value in kept.items()
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, arrays: dict[str, np.ndarray], parameters: dict[str, torch.nn.Parameter]
) -> None:
    """Put back what `optimiser_arrays` kept, each moment laid out in memory as its parameter is."""
    for full, value in arrays.items():
        if not full.startswith("optimiser/"):
            continue
        _, key, name = full.split("/", 2)
        parameter = parameters[name]
        kept = torch.from_numpy(value)
        if key != "step":
            kept = torch.empty_like(parameter).copy_(kept)
        optimiser.state[parameter][key] = kept
