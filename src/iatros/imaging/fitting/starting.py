"""Start from weights that were learned elsewhere."""

from __future__ import annotations

from pathlib import Path

import torch

from iatros.core.errors import RequestError

_SHOWN = 8


def start_from(network: torch.nn.Module, path: Path) -> tuple[set[str], list[str]]:
    """Take from a .safetensors file the tensors whose name and shape agree; their names, and notes on them.

    The head may differ, as it does where the classes do. Of all other numbers of the network at least half
    must be in the file; RequestError lists what was not, or says why the file cannot be read.
    """
    found = _read(path)
    own = network.state_dict()
    taken = {name for name, value in own.items() if name in found and tuple(found[name].shape) == value.shape}
    missed = [
        _difference(name, value, found) for name, value in own.items() if name not in taken and _counts(name)
    ]
    wanted = sum(value.numel() for name, value in own.items() if _counts(name))
    matched = sum(own[name].numel() for name in taken if _counts(name))
    if 2 * matched < wanted:
        shown = ", ".join(missed[:_SHOWN]) + (", ..." if len(missed) > _SHOWN else "")
        raise RequestError(
            f"only {matched} of the network's {wanted} weights are in the file; not there: {shown}",
            where="weights",
            hint="give weights of the same model with the same parameters",
        )
    with torch.no_grad():
        for name in taken:
            own[name].copy_(found[name])
    notes = [f"started from {path.name}: {len(taken)} of {len(own)} tensors, {matched} of {wanted} weights"]
    if missed:
        notes.append("not in the file and drawn anew: " + ", ".join(missed))
    if any(name.startswith("head.") for name in own.keys() - taken):
        notes.append("the head was drawn anew")
    return taken, notes


def _read(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(path.read_bytes())
    except OSError as error:
        raise RequestError(
            f"the weights cannot be read ({error.strerror})", where="weights", hint="give a .safetensors file"
        ) from error
    except (SafetensorError, ValueError, KeyError) as error:
        raise RequestError(
            f"{path.name} is not a .safetensors file",
            where="weights",
            hint="pickled weights are never opened",
        ) from error


def _counts(name: str) -> bool:
    return not (name.startswith("head.") or name.endswith("num_batches_tracked"))


def _difference(name: str, value: torch.Tensor, found: dict[str, torch.Tensor]) -> str:
    wanted = " x ".join(map(str, value.shape))
    if name not in found:
        return f"{name} ({wanted})"
    return f"{name} ({wanted}, in the file {' x '.join(map(str, found[name].shape))})"
