"""Runs a compiled model, the vendor's or ours, on the software DPU, on values that are named alike in both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip

__all__ = ["Feed", "paired", "plain_name", "random_feeds", "run_model"]

_TRIALS = 3

T = TypeVar("T")


@dataclass(frozen=True)
class Feed:
    """One input's values: (1, ...) int8 with a fix point, or float32 without one."""

    name: str
    values: NDArray[Any]
    fix_point: int | None

    def for_tensor(self, info: Any) -> NDArray[Any]:
        """Return the values as a tensor of the other file takes them."""
        values = self.values
        if info.dtype == "float32" and self.fix_point is not None:
            values = (values * np.float32(2.0**-self.fix_point)).astype(np.float32)
        return np.ascontiguousarray(values.reshape(tuple(info.shape)))


def plain_name(name: str) -> str:
    """Return the layer's name in the name of an op or tensor: without what quantizer and compiler put round it."""
    name = re.sub(r"_(download|upload)(_\d+)?$|_inside$", "", name)
    return re.sub(r"_(fix|fixneuron)$", "", name).removeprefix("quant_")


def paired(names: Sequence[str], others: Mapping[str, T]) -> list[T]:
    """Return for each name what stands under the same plain name in ``others``, else what stands at its place."""
    plain = {plain_name(name): value for name, value in others.items()}
    if all(plain_name(name) in plain for name in names):
        return [plain[plain_name(name)] for name in names]
    return list(others.values())


def random_feeds(inputs: Sequence[Any]) -> list[list[Feed]]:
    """Return images for every input of a model, of the whole range and of a small part of it that saturates less."""
    rng = np.random.default_rng(0)
    limits = [(-128, 128)] * (_TRIALS - 1) + [(-16, 16)]
    return [[_random(rng, info, low, high) for info in inputs] for low, high in limits]


def _random(rng: np.random.Generator, info: Any, low: int, high: int) -> Feed:
    values = rng.integers(low, high, tuple(info.shape), np.int8)
    if info.dtype == "int8":
        return Feed(info.name, values, info.fix_point)
    return Feed(info.name, values.astype(np.float32) / 64, None)


def run_model(model: Any, feeds: Sequence[Feed]) -> dict[str, NDArray[np.float32]]:
    """Run a model and return its outputs as real values, which int8 with a fix point are exactly.

    Parameters
    ----------
    model : nerone._core.Model
    feeds : one for each input, under the names of either file
    """
    given = paired([info.name for info in model.inputs], {feed.name: feed for feed in feeds})
    images = [feed.for_tensor(info) for feed, info in zip(given, model.inputs, strict=True)]
    outputs = {info.name: np.zeros(tuple(info.shape), np.float32) for info in model.outputs}
    model.run(images, list(outputs.values()))
    return outputs
