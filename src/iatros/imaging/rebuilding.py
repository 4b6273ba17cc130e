"""The torch network of a bundle, weights and all: what heat maps and training on need, and predicting does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iatros.core.bundle import Bundle, pack_arrays, unpack_arrays
from iatros.core.errors import BundleError
from iatros.imaging.models import MODELS
from iatros.imaging.schema import InputSpec
from iatros.imaging.scoring import network_file

if TYPE_CHECKING:
    import torch


def pack_network(network: torch.nn.Module) -> bytes:
    """The weights and buffers of `network` as safetensors; the same weights always give the same bytes."""
    return pack_arrays({name: value.detach().cpu().numpy() for name, value in network.state_dict().items()})


def network_document(
    model: str, params: Any, spec: InputSpec, n_outputs: int, *, n_columns: int = 0
) -> dict[str, Any]:
    """What a manifest says under `network`: enough to build the network again, but for its weights."""
    return {
        "model": model,
        "params": params.model_dump(mode="json"),
        "spec": spec.document(),
        "n_outputs": n_outputs,
        "n_columns": n_columns,
    }


def network_from_bundle(bundle: Bundle, member: int = 0) -> torch.nn.Module:
    """The trained torch network of one member, in eval mode, built from names and arrays alone.

    Raises BundleError where the bundle holds none, or weights that do not fit it.
    """
    import torch

    document = bundle.manifest.get("network")
    if not isinstance(document, dict):
        raise BundleError("the bundle does not say which network it holds", where=bundle.name)
    model = MODELS.load(document["model"])
    network: torch.nn.Module = model.build(
        model.Params(**document["params"]),
        InputSpec.load(document["spec"]),
        document["n_outputs"],
        n_columns=document["n_columns"],
    )
    arrays = unpack_arrays(bundle.read(network_file(member, "weights")))
    try:
        network.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
    except RuntimeError as error:
        raise BundleError(
            "the weights do not fit the network that the manifest describes",
            where=bundle.name,
            hint="open it with the version of iatros that wrote it",
        ) from error
    return network.eval()
