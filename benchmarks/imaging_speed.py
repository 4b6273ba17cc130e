"""How many images a second are augmented, and what the training loop costs beside a bare loop in torch."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import numpy as np

from iatros.learners.threads import fit_threads

_SIZE = 28


def augmentation_throughput(*, batch_size: int = 64, seconds: float = 3.0) -> dict[str, Any]:
    """Images of 28 px a second through every default augmentation, from uint8 to the floats a network takes.

    `images_per_second` is the median over rounds of a tenth of `seconds`; `alone` has each augmentation by itself,
    `gathering` what it takes to gather and scale a batch without any.
    """
    import torch

    from iatros.imaging.fitting.augmentation import AUGMENTATIONS, Augmenter
    from iatros.imaging.fitting.batches import gather

    images = _images(4096)
    order = np.random.default_rng(0).permutation(len(images))
    random = torch.Generator().manual_seed(0)

    def rate(names: tuple[str, ...], span: float) -> float:
        augmenter = Augmenter(names, "image")

        def one(number: int) -> None:
            start = number * batch_size % (len(order) - batch_size)
            augmenter(gather(images, order[start : start + batch_size]).images, random)

        return _per_second(one, span) * batch_size

    with _threads() as threads:
        whole = rate(AUGMENTATIONS, seconds)
        return {
            "images_per_second": whole,
            "gathering": rate((), seconds / 5),
            "alone": {name: rate((name,), seconds / 5) for name in AUGMENTATIONS},
            "size": _SIZE,
            "batch_size": batch_size,
            "threads": threads,
        }


def loop_overhead(*, model: str = "resnet", rounds: int = 9, batches: int = 8) -> dict[str, Any]:
    """Images a second of the training loop and of a bare loop in torch with the same network and optimiser.

    Both go over the same batches of 64 images of 28 px, in turns of `batches`, so that whatever else the machine
    does falls on both; rates are medians over `rounds`, `share` is the median of the ratios within a round. The
    bare loop has the same precision, layout and optimiser, and neither augmentation, average nor clipping.
    """
    import torch

    from iatros.imaging.fitting.augmentation import AUGMENTATIONS, Augmenter
    from iatros.imaging.fitting.batches import gather
    from iatros.imaging.fitting.schedule import one_cycle

    images = _images(2048)
    labels = torch.from_numpy(np.arange(len(images)) % 3 // 2)
    size = 64
    random = torch.Generator().manual_seed(0)
    augmenter = Augmenter(AUGMENTATIONS, "image")

    with _threads() as threads:
        learner, bare = _learner(model), _bare_step(model)

        def ours(number: int, *, augmented: bool) -> None:
            rows = _rows(number, size, len(images))
            batch = gather(images, rows)
            if augmented:
                batch = dataclasses.replace(batch, images=augmenter(batch.images, random))
            learner.step(batch, labels[rows], one_cycle(number, 1000, 1e-3))

        def theirs(number: int) -> None:
            rows = _rows(number, size, len(images))
            bare(torch.from_numpy(images[rows]).float().div_(255), labels[rows])

        ways: dict[str, Callable[[int], None]] = {
            "loop": lambda number: ours(number, augmented=False),
            "loop_augmented": lambda number: ours(number, augmented=True),
            "bare": theirs,
        }
        seconds = _turns(ways, rounds, batches)
    per_round = {name: [batches * size / each for each in found] for name, found in seconds.items()}
    shares = {
        name: median(a / b for a, b in zip(per_round[name], per_round["bare"], strict=True))
        for name in ("loop", "loop_augmented")
    }
    return {
        "images_per_second": {name: median(found) for name, found in per_round.items()},
        "share": shares["loop"],
        "share_augmented": shares["loop_augmented"],
        "model": model,
        "precision": learner.precision,
        "batch_size": size,
        "threads": threads,
    }


def _turns(ways: dict[str, Callable[[int], None]], rounds: int, batches: int) -> dict[str, list[float]]:
    """Seconds of `batches` calls of each way, round by round; a first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            for number in range(batches):
                way(turn * batches + number)
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def _per_second(call: Callable[[int], None], seconds: float) -> float:
    """Calls a second, the median of ten rounds after a first one that is not counted."""
    rates = []
    number = 0
    for _ in range(11):
        started, calls = time.perf_counter(), 0
        while (passed := time.perf_counter() - started) < seconds / 10 or not calls:
            call(number)
            number, calls = number + 1, calls + 1
        rates.append(calls / passed)
    return median(rates[1:])


def _network(model: str) -> Any:
    from iatros.imaging.models import MODELS
    from iatros.imaging.schema import InputSpec

    kind = MODELS.load(model)
    return kind.build(kind.Params(), InputSpec("image", 1, (_SIZE, _SIZE)), 2)


def _learner(model: str) -> Any:
    from torch.nn import functional

    from iatros.imaging.fitting.learner import Learner

    def loss(logits: Any, labels: Any) -> Any:
        return functional.cross_entropy(logits, labels, reduction="none")

    learner = Learner(_network(model), loss, weight_decay=0.05, ema=0.995)
    learner.network.train()
    return learner


def _bare_step(model: str) -> Callable[[Any, Any], None]:
    """One step as it would be written by hand."""
    import torch
    from torch.nn import functional

    from iatros.imaging.fitting.learner import multiplies_bfloat16

    network = _network(model).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05, fused=True)
    half = multiplies_bfloat16()

    def step(images: Any, labels: Any) -> None:
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = network(images)
        optimiser.zero_grad(set_to_none=True)
        functional.cross_entropy(logits.float(), labels).backward()
        optimiser.step()

    return step


def _rows(number: int, size: int, n: int) -> np.ndarray:
    return (np.arange(size) * 7 + number * size) % n


def _images(n: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, 1, _SIZE, _SIZE), dtype=np.uint8)


@contextmanager
def _threads() -> Iterator[int]:
    """torch on all cores that training would use."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(fit_threads())
    try:
        yield fit_threads()
    finally:
        torch.set_num_threads(before)
