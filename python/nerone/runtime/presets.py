"""Named preprocessings: of the paper's tasks and published models, with their classes, and of pictures in general."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from nerone.compat import zip
from nerone.errors import ConfigurationError
from nerone.runtime.preprocessing import (
    Channels,
    Clip,
    CropOrPad,
    Percentile,
    Preprocessing,
    Resample,
    Resize,
    ScaleOffset,
    Window,
)

__all__ = ["PALETTE", "PRESETS", "Preset", "preset"]

Colour = tuple[int, int, int]

# Okabe and Ito's palette, told apart with every common colour blindness. The background is not painted.
_NONE: Colour = (0, 0, 0)
_ORANGE: Colour = (230, 159, 0)
_SKY: Colour = (86, 180, 233)
_GREEN: Colour = (0, 158, 115)
_YELLOW: Colour = (240, 228, 66)
_BLUE: Colour = (0, 114, 178)
_VERMILION: Colour = (213, 94, 0)
_PURPLE: Colour = (204, 121, 167)

PALETTE = (_NONE, _ORANGE, _SKY, _GREEN, _YELLOW, _BLUE, _VERMILION, _PURPLE)
"""Colours of classes that no preset names, class 0 first."""

# Mean and deviation of ImageNet's pictures in 0..1, as torchvision's weights and Keras's mode "torch" have them.
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preset:
    """A preprocessing and the meaning of the network's classes.

    Parameters
    ----------
    name : str, as the command line takes it
    title : str, one line for people
    preprocessing : Preprocessing
    output : "segmentation" (a class per pixel) or "classification" (a class per image); "" for networks of any kind,
        which bring their classes along: their names are given beside the preset, or stay "class 0", "class 1" ...
    class_names : one per class, class 0 first; empty where the output is ""
    colours : (R, G, B) 0-255, one per class
    label_ids : the data set's own id of each class, as its masks store it; empty where it has none
    codes : SNOMED CT code and meaning of each class, as of `nerone.bundle.declaration.OutputDeclaration`
    """

    name: str
    title: str
    preprocessing: Preprocessing
    output: Literal["segmentation", "classification", ""] = ""
    class_names: tuple[str, ...] = ()
    colours: tuple[Colour, ...] = ()
    label_ids: tuple[int, ...] = ()
    codes: tuple[tuple[str, ...], ...] = ()


_CT_CLASSES = ("background", "liver", "bladder", "lungs", "kidneys", "bone")
_CT_COLOURS = (_NONE, _VERMILION, _YELLOW, _SKY, _GREEN, _ORANGE)
_BRAIN_CLASSES = ("background", "necrotic core", "oedema", "enhancing tumour")
_BRAIN_COLOURS = (_NONE, _BLUE, _YELLOW, _VERMILION)
_PROSTATE_CLASSES = ("background", "peripheral zone", "central gland")
_PROSTATE_COLOURS = (_NONE, _SKY, _ORANGE)
_CODES: dict[tuple[str, ...], tuple[tuple[str, ...], ...]] = {
    _CT_CLASSES: (
        (),
        ("10200004", "Liver"),
        ("89837001", "Bladder"),
        ("39607008", "Lung"),
        ("64033007", "Kidney"),
        ("272673000", "Bone"),
    ),
    _BRAIN_CLASSES: (
        (),
        ("6574001", "Necrosis", "abnormality"),
        ("79654002", "Edema", "abnormality"),
        ("108369006", "Neoplasm", "abnormality"),
    ),
    _PROSTATE_CLASSES: ((), ("279706003", "Peripheral zone of the prostate"), ("41216001", "Prostate")),
}
_BLOOD_CLASSES = ("eosinophil", "lymphocyte", "monocyte", "neutrophil")
_BLOOD_COLOURS = (_ORANGE, _SKY, _GREEN, _PURPLE)


def _ct(outside_hu: float) -> Preprocessing:
    """The published way: 512 pixels of 0.557 mm round the middle, halved, then the window."""
    return Preprocessing(
        (
            Channels(1),
            Resample(0.557, "cubic"),
            CropOrPad(512, 512, outside_hu),
            Resize(256, 256, "bilinear"),
            Window(-500, 1000, to=(-1, 1)),
        ),
        orientation="RAS",
    )


def _brain() -> Preprocessing:
    return Preprocessing(
        (
            Channels(4, names=("flair", "t1", "t1ce", "t2")),
            Clip(low=0),
            Percentile(None, 99.9, to=(-1, 1), scope="volume", nonzero=True),
            CropOrPad(240, 240, -1),
        ),
        orientation="LPS",
    )


def _prostate(to: tuple[float, float]) -> Preprocessing:
    steps = (Channels(1), Resample(0.625, "cubic"), CropOrPad(256, 256), Percentile(1, 99, to=to))
    return Preprocessing(steps, orientation="PLS")


def _blood(height: int, width: int) -> Preprocessing:
    return Preprocessing((_RGB, Resize(height, width), ScaleOffset((1 / 255,))))


def _picture(channels: Channels, values: ScaleOffset) -> Preprocessing:
    """Resize to the network's input, 224 pixels until it is known, and scale levels of 0 to 255."""
    return Preprocessing((channels, Resize(224, 224), values))


_RGB = Channels(3, names=("red", "green", "blue"))


def _segmentation(
    name: str,
    title: str,
    steps: Preprocessing,
    classes: tuple[str, ...],
    colours: tuple[Colour, ...],
    ids: tuple[int, ...],
) -> Preset:
    return Preset(name, title, steps, "segmentation", classes, colours, ids, _CODES[classes])


PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        _segmentation(
            "ct-org", "CT organs, Hounsfield units", _ct(-1024), _CT_CLASSES, _CT_COLOURS, (0, 1, 2, 3, 4, 5)
        ),
        _segmentation(
            "brats", "brain tumour, four MR contrasts", _brain(), _BRAIN_CLASSES, _BRAIN_COLOURS, (0, 1, 2, 4)
        ),
        _segmentation(
            "prostate-3t",
            "prostate zones, T2-weighted MR",
            _prostate((-1, 1)),
            _PROSTATE_CLASSES,
            _PROSTATE_COLOURS,
            (0, 1, 2),
        ),
        Preset("bccd", "white blood cells, RGB", _blood(240, 320), "classification", _BLOOD_CLASSES, _BLOOD_COLOURS),
        _segmentation(
            "paper-ct-org", "the paper's published CT-ORG network", _ct(0), _CT_CLASSES, _CT_COLOURS, (0, 1, 2, 3, 4, 5)
        ),
        _segmentation(
            "paper-brats", "the paper's published BraTS network", _brain(), _BRAIN_CLASSES, _BRAIN_COLOURS, (0, 1, 2, 4)
        ),
        _segmentation(
            "paper-prostate",
            "the paper's published prostate networks",
            _prostate((0, 1)),
            _PROSTATE_CLASSES,
            _PROSTATE_COLOURS,
            (0, 1, 2),
        ),
        Preset(
            "paper-bccd",
            "the paper's published BCCD network",
            _blood(200, 250),
            "classification",
            _BLOOD_CLASSES,
            _BLOOD_COLOURS,
        ),
        Preset("rgb-0-1", "RGB pictures, 0..255 as 0..1", _picture(_RGB, ScaleOffset((1 / 255,)))),
        Preset(
            "rgb-imagenet",
            "RGB pictures, less ImageNet's mean, over its deviation (torchvision, Keras's mode torch)",
            _picture(
                _RGB,
                ScaleOffset(
                    tuple(1 / (255 * deviation) for deviation in _IMAGENET_DEVIATION),
                    tuple(-m / deviation for m, deviation in zip(_IMAGENET_MEAN, _IMAGENET_DEVIATION, strict=True)),
                ),
            ),
        ),
        Preset(
            "rgb-minus1-1",
            "RGB pictures, 0..255 as -1..1 (Keras's mode tf)",
            _picture(_RGB, ScaleOffset((1 / 127.5,), (-1.0,))),
        ),
        Preset("grey-0-1", "grey pictures, 0..255 as 0..1", _picture(Channels(1), ScaleOffset((1 / 255,)))),
    )
}


def preset(name: str) -> Preset:
    """Give a preset by its name.

    Raises
    ------
    ConfigurationError
        with the near names, where there is none of this name.

    Examples
    --------
    >>> preset("ct-org").class_names[1]
    'liver'
    """
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(str(name).lower(), PRESETS, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"expected one of {', '.join(PRESETS)}"
    raise ConfigurationError(f"there is no preset {name!r}; {hint}")
