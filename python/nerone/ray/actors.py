"""The actors of a Ray Data operator: how many there are and what each takes of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nerone.errors import check_whole

__all__ = ["through_actors"]


def through_actors(
    dataset: Any,
    actor: type[Callable[[Mapping[str, Any]], Mapping[str, Any]]],
    arguments: tuple[Any, ...],
    *,
    workers: int,
    threads: int | None,
    batch_size: int,
    resources: Mapping[str, float] | None,
) -> Any:
    """Return the dataset's batches, mapped by actors that are made once and started again where they are lost.

    Parameters
    ----------
    dataset : ray.data.Dataset
    actor : class of a function of a batch, by column
    arguments : of its constructor
    workers : actors
    threads : CPUs that each takes; 1 where None
    batch_size : rows
    resources : what else each takes

    Raises
    ------
    ConfigurationError
        If a number cannot be.
    """
    from ray.data import ActorPoolStrategy

    cpus = 1 if threads is None else threads
    for name, value in (("workers", workers), ("threads", cpus), ("batch_size", batch_size)):
        check_whole(name, value, 1)
    return dataset.map_batches(
        actor,
        batch_size=batch_size,
        compute=ActorPoolStrategy(size=workers),
        fn_constructor_args=arguments,
        num_cpus=cpus,
        resources=dict(resources or {}),
    )
