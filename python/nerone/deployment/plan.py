"""The surroundings of a bundle's network: preprocessing, class names, colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from nerone.bundle.bundle import Bundle
from nerone.bundle.checks import check_fit
from nerone.bundle.declaration import OutputDeclaration, TensorDeclaration
from nerone.bundle.fields import read_json
from nerone.deployment.network_output import covered, with_two_classes
from nerone.deployment.quiet_import import import_quietly
from nerone.errors import ConfigurationError
from nerone.graph import Graph
from nerone.graph.h5_model import H5Model
from nerone.graph.input_shapes import InputShape
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.presets import PALETTE, PRESETS, Preset
from nerone.runtime.presets import preset as find_preset

__all__ = [
    "BundlePlan",
    "check_given",
    "check_surroundings",
    "given_preprocessing",
    "imported",
    "make_plan",
    "network_classes",
    "oriented",
]


@dataclass(frozen=True)
class BundlePlan:
    """The steps of a bundle before and after its network."""

    preprocessing: Preprocessing
    output: OutputDeclaration
    preset: str = ""


def imported(model: Any, input_shape: InputShape = None, content: H5Model | None = None) -> Graph:
    """Return the graph of a trained model, one sigmoid channel as two classes; keep TensorFlow quiet meanwhile."""
    if not isinstance(model, Graph):
        import_quietly("tensorflow", "keras")
    from nerone.graph import import_model

    graph: Graph = import_model(model, input_shape=input_shape, content=content)
    return with_two_classes(graph) if len(graph.outputs) == 1 else graph


def given_preprocessing(given: Preprocessing | str | Path | None) -> Preprocessing | None:
    """Return a preprocessing that may be in a file: what `Preprocessing.to_dict` gives as JSON, or a bundle's.

    Raises
    ------
    ConfigurationError
        No such file, or one of another content, naming it and the field.
    """
    if given is None or isinstance(given, Preprocessing):
        return given
    path = Path(given)
    if path.is_dir():
        return Bundle.open(path).preprocessing
    values = read_json(path, "give JSON such as Preprocessing.to_dict makes, or a bundle")
    try:
        return Preprocessing.from_dict(values.get("preprocessing", values))
    except ConfigurationError as error:
        raise ConfigurationError(f"'{path}': {error}") from error


def check_given(chosen: Preset | None, preprocessing: Preprocessing | None, older: Bundle | None) -> None:
    """Refuse a model without preset, preprocessing or an older bundle to take them from."""
    if chosen is None and preprocessing is None and older is None:
        raise ConfigurationError(
            f"neither a preset nor a preprocessing was given; name the preset of this network "
            f"({', '.join(PRESETS)}), or give the steps from a stored image to the network's input as preprocessing"
        )


def check_surroundings(
    preset: str | Preset | None, preprocessing: Preprocessing | str | Path | None, older: Bundle | None
) -> tuple[Preset | None, Preprocessing | None]:
    """Return the preset and the preprocessing that were given, as objects, before any work is done.

    Raises
    ------
    ConfigurationError
        There is no such preset or file, or neither was given and no older bundle lends them.
    """
    chosen = find_preset(preset) if isinstance(preset, str) else preset
    steps = given_preprocessing(preprocessing)
    check_given(chosen, steps, older)
    return chosen, steps


def make_plan(
    graph: Graph,
    chosen: Preset | None,
    preprocessing: Preprocessing | None,
    class_names: Sequence[str] | None,
    older: Bundle | None = None,
) -> BundlePlan:
    """Decide preprocessing and classes: as given, else of the preset, else of the bundle that is replaced.

    Raises
    ------
    ConfigurationError
        Nothing was given, or it does not fit the network.
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        inputs, outputs = (", ".join(f"'{name}'" for name in names) for names in (graph.inputs, graph.outputs))
        raise ConfigurationError(
            f"a bundle takes one image and gives one result; the model has inputs {inputs} and outputs {outputs}: cut "
            "it to one of each, or use nerone.quantize and nerone.compile"
        )
    shape, out = graph[graph.inputs[0]].shape, graph[graph.outputs[0]].shape
    if len(shape) != 3:
        raise ConfigurationError(
            f"the model's input '{graph.inputs[0]}' has shape {shape}; a bundle takes images (H, W, C)"
        )
    if out[-1] == 1:
        raise ConfigurationError(
            f"the network's output '{graph.outputs[0]}' has one channel, in which no class can be the largest; "
            "deploy the trained model, whose sigmoid becomes two classes, or quantize one with two channels"
        )
    check_given(chosen, preprocessing, older)
    steps = preprocessing or (chosen.preprocessing.with_output_size(shape[0], shape[1]) if chosen else None)
    name = chosen.name if chosen else ""
    if steps is None and older is not None:
        steps, name = older.preprocessing, older.preset
    assert steps is not None
    kept = older.output if older and not chosen and class_names is None else None
    if kept:
        kept.check_classes(int(out[-1]))
    output = replace(kept or network_classes(out, chosen, class_names), covers=covered(graph))
    found = BundlePlan(steps, output, name)
    check_fit(steps, TensorDeclaration("", (1, *shape), None), TensorDeclaration("", (1, *out), None), found.output)
    return found


_Steps = TypeVar("_Steps", BundlePlan, Preset)


def oriented(plan: _Steps, orientation: str | None) -> _Steps:
    """Return a plan or preset whose preprocessing declares another orientation, where one is given."""
    if orientation is None:
        return plan
    return replace(plan, preprocessing=replace(plan.preprocessing, orientation=orientation))


def network_classes(
    shape: tuple[int, ...], chosen: Preset | None, class_names: Sequence[str] | None
) -> OutputDeclaration:
    """Return the classes of a network with an output of this shape (H, W, classes) or (classes,): as named, else the
    preset's, else by number.
    """
    classes = int(shape[-1])
    image = len(shape) == 3 and shape[0] * shape[1] > 1
    if chosen and chosen.output and class_names is None:
        declared = OutputDeclaration(
            chosen.output, chosen.class_names, chosen.colours, chosen.label_ids, codes=chosen.codes
        )
    else:
        names = tuple(class_names or (f"class {number}" for number in range(classes)))
        if classes == 2 and len(names) == 1:
            names = ("background", *names)
        colours = tuple(PALETTE[number % len(PALETTE)] for number in range(len(names)))
        declared = OutputDeclaration("segmentation" if image else "classification", names, colours)
    declared.check_classes(classes)
    if (declared.kind == "segmentation") != image:
        raise ConfigurationError(
            f"the preset '{chosen.name if chosen else ''}' is for {declared.kind}, the network's output has shape "
            f"{shape}; take the preset of this network"
        )
    return declared
