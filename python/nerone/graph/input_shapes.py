"""The static shapes of a model's inputs, from the model and from the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Union

from nerone.compat import zip
from nerone.errors import ModelError

__all__ = ["InputShape", "input_shapes"]

InputShape = Union[Sequence[int], Mapping[str, Sequence[int]], None]


def input_shapes(
    names: Sequence[str], declared: Sequence[Sequence[int | None]], given: InputShape
) -> list[tuple[int, ...]]:
    """Return one static shape per input, without the batch axis.

    Raises
    ------
    ModelError
        A size is open and not given, or the given shape contradicts the model.
    """
    wanted: Mapping[str, Sequence[int]]
    if given is None:
        wanted = {}
    elif isinstance(given, Mapping):
        wanted = given
    else:
        wanted = {name: tuple(given) for name in names}
    return [_one(name, tuple(shape), wanted.get(name)) for name, shape in zip(names, declared, strict=True)]


def _one(name: str, declared: tuple[int | None, ...], given: Sequence[int] | None) -> tuple[int, ...]:
    if given is not None:
        fits = len(given) == len(declared) and all(
            size is None or size == new for size, new in zip(declared, given, strict=True)
        )
        if not fits:
            raise ModelError(
                f"input '{name}' of the model is {declared} but input_shape says {tuple(given)}; give a shape that fits"
            )
        return tuple(int(size) for size in given)
    if any(size is None for size in declared):
        raise ModelError(
            f"input '{name}' has the open shape {declared}; the DPU needs fixed sizes: "
            "pass input_shape=(height, width, channels)"
        )
    return tuple(int(size) for size in declared if size is not None)
