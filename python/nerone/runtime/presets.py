"""Named preprocessings with what their networks' outputs mean: the paper's four tasks, and its published models."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

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

__all__ = ["PRESETS", "Preset", "preset"]

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


@dataclass(frozen=True)
class Preset:
    """A preprocessing and the meaning of the network's classes.

    Parameters
    ----------
    name : str, as the command line takes it
    title : str, one line for people
    preprocessing : Preprocessing
    output : "segmentation" (a class per pixel) or "classification" (a class per image)
    class_names : one per class, class 0 first
    colours : (R, G, B) 0-255, one per class
    label_ids : the data set's own id of each class, as its masks store it; empty where it has none
    codes : SNOMED CT code and meaning of each class, as of `nerone.bundle.declaration.OutputDeclaration`
    """

    name: str
    title: str
    preprocessing: Preprocessing
    output: Literal["segmentation", "classification"]
    class_names: tuple[str, ...]
    colours: tuple[Colour, ...]
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
    return Preprocessing((Channels(3, names=("red", "green", "blue")), Resize(height, width), ScaleOffset((1 / 255,))))


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
