"""The order in which Keras 2 takes the weights of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["loading_order"]


def loading_order(sources: Mapping[str, Sequence[str]], outputs: Sequence[str]) -> list[str]:
    """Return names in the order of Keras 2's ``model.layers``.

    Layers far from the outputs come first; those equally far in the order in which a search from the outputs, readers
    before their sources, meets them. Source: Keras 2, engine/functional.py, ``_map_graph_network``.

    Parameters
    ----------
    sources : names that each layer reads, in topological order
    outputs : names of the outputs
    """
    depths = dict.fromkeys(sources, 0)
    for name in reversed(list(sources)):
        for source in sources[name]:
            depths[source] = max(depths[source], depths[name] + 1)
    met: dict[str, int] = {}
    stack = list(reversed(outputs))
    while stack:
        name = stack.pop()
        if name not in met:
            met[name] = len(met)
            stack += reversed(sources[name])
    return sorted(sources, key=lambda name: (-depths[name], met.get(name, len(met))))
