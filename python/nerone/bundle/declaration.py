"""Input, output and classes of a bundle's network: plain frozen values, read from and written to JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from nerone.bundle.fields import Fields
from nerone.errors import ConfigurationError

__all__ = ["OutputDeclaration", "TensorDeclaration"]

Colour = tuple[int, int, int]

KINDS = ("segmentation", "classification")
_MAX_AXIS = 1 << 20
_MAX_FIX_POINT = 31


@dataclass(frozen=True)
class TensorDeclaration:
    """An input or output of the network.

    Attributes
    ----------
    name : str, the tensor's name in the xmodel
    shape : (N, H, W, C), or fewer axes
    fix_point : int, a real value is integer * 2^-fix_point; None for float32
    """

    name: str
    shape: tuple[int, ...]
    fix_point: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name, "shape": list(self.shape), "fix_point": self.fix_point}

    @classmethod
    def read(cls, fields: Fields) -> TensorDeclaration:
        """Read what `to_dict` gave; ConfigurationError names the field."""
        shape = fields.integers("shape", 1, _MAX_AXIS)
        if not shape:
            raise fields.fail("shape", [], "at least one axis")
        fix_point = fields.optional("fix_point", int, "an integer or null")
        if fix_point is not None and abs(fix_point) > _MAX_FIX_POINT:
            raise fields.fail("fix_point", fix_point, f"an integer from -{_MAX_FIX_POINT} to {_MAX_FIX_POINT}")
        return cls(fields.get("name", str, "a string"), shape, fix_point)


@dataclass(frozen=True)
class OutputDeclaration:
    """Meaning of the network's output.

    Attributes
    ----------
    kind : "segmentation" (a class per pixel) or "classification" (a class per image)
    class_names : one per class, class 0 first
    colours : (R, G, B) 0-255, one per class
    label_ids : the data set's own id of each class, as its masks store it; empty where it has none
    covers : (rows, columns) in the middle of the network's input that a mask covers; empty where that is all of it
    codes : per class (SNOMED CT code, meaning), with a third "abnormality" where it is no part of the body, for DICOM
        segmentations; empty where nothing is known
    """

    kind: Literal["segmentation", "classification"]
    class_names: tuple[str, ...]
    colours: tuple[Colour, ...]
    label_ids: tuple[int, ...] = ()
    covers: tuple[int, ...] = ()
    codes: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigurationError(f"the output is '{self.kind}'; expected {' or '.join(KINDS)}")
        count = len(self.class_names)
        if count == 0:
            raise ConfigurationError("the output has no class names; give one per class")
        if len(self.colours) != count:
            raise ConfigurationError(
                f"there are {count} class names and {len(self.colours)} colours; give one per class"
            )
        if self.label_ids and len(self.label_ids) != count:
            raise ConfigurationError(
                f"there are {count} class names and {len(self.label_ids)} label ids; give one per class"
            )

        if self.codes and (len(self.codes) != count or any(len(code) not in (0, 2, 3) for code in self.codes)):
            raise ConfigurationError(
                f"codes are {[list(code) for code in self.codes]}; expected code and meaning of each of {count} classes"
            )
        if len(self.covers) not in (0, 2):
            raise ConfigurationError(f"covers is {list(self.covers)}; expected rows and columns, or nothing")

    def check_classes(self, classes: int) -> None:
        """Raise ConfigurationError where the network has another number of classes."""
        if classes != len(self.class_names):
            raise ConfigurationError(
                f"the network has {classes} classes, the bundle names {len(self.class_names)} "
                f"({', '.join(self.class_names)}); give class names that fit, or the preset of this network"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "kind": self.kind,
            "class_names": list(self.class_names),
            "colours": [list(colour) for colour in self.colours],
            "label_ids": list(self.label_ids),
            **({"covers": list(self.covers)} if self.covers else {}),
            **({"codes": [list(code) for code in self.codes]} if self.codes else {}),
        }

    @classmethod
    def read(cls, fields: Fields) -> OutputDeclaration:
        """Read what `to_dict` gave; ConfigurationError names the field."""
        kind = fields.get("kind", str, "a string")
        if kind not in KINDS:
            raise fields.fail("kind", kind, " or ".join(KINDS))
        colours = fields.get("colours", list, "a list of [R, G, B]")
        return cls(
            "segmentation" if kind == "segmentation" else "classification",
            fields.strings("class_names"),
            tuple(_colour(fields, value) for value in colours),
            fields.integers("label_ids", 0, 255),
            fields.integers("covers", 1, _MAX_AXIS) if fields.has("covers") else (),
            tuple(_code(fields, value) for value in fields.get("codes", list, "a list of [code, meaning]"))
            if fields.has("codes")
            else (),
        )


def _code(fields: Fields, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise fields.fail("codes", value, "[code, meaning] of strings")
    return tuple(value)


def _colour(fields: Fields, value: Any) -> Colour:
    levels = value if isinstance(value, list) else []
    good = [level for level in levels if isinstance(level, int) and not isinstance(level, bool) and 0 <= level <= 255]
    if len(levels) != 3 or len(good) != 3:
        raise fields.fail("colours", value, "[R, G, B] with levels from 0 to 255")
    return good[0], good[1], good[2]
