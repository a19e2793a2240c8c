"""Where values lie in DDR: buffers of registers, and images that are cut out of them by strides."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nerone.compat import zip
from nerone.compilation.emit.program import Access, ddr_bytes

__all__ = ["INPUT", "OUTPUT", "WEIGHTS", "WORKSPACE", "Buffer", "View", "dense"]

WEIGHTS, WORKSPACE, INPUT, OUTPUT = 0, 1, 2, 3


@dataclass(eq=False)
class Buffer:
    """Bytes of a register.

    Attributes
    ----------
    size : int, bytes
    register : int, WORKSPACE until it proves to be an input or output
    address : int, first byte within the register; -1 until it is placed
    front, back : int, bytes before and behind it that a masked LOAD may touch
    """

    size: int
    register: int = WORKSPACE
    address: int = -1
    front: int = 0
    back: int = 0


@dataclass(frozen=True)
class View:
    """An image (height, width, channels) of bytes inside a buffer; the channels of a pixel lie side by side.

    Attributes
    ----------
    buffer : Buffer
    offset : int, byte of the first pixel
    height, width, channels : int
    line, pixel : int, bytes from one line and pixel to the next
    before, real : int, of pixels that overlap and stick out of the line: bytes of the first one in front of the line,
        and bytes of the line itself; 0 where nothing sticks out
    """

    buffer: Buffer
    offset: int
    height: int
    width: int
    channels: int
    line: int
    pixel: int
    before: int = 0
    real: int = 0

    def at(self, y: int, x: int, channel: int = 0) -> int:
        """Return the address of a byte within the register."""
        return self.buffer.address + self.offset + y * self.line + x * self.pixel + channel

    def crop(self, y: int, x: int, height: int, width: int) -> View:
        """Return a rectangle of it."""
        return replace(self, offset=self.offset + y * self.line + x * self.pixel, height=height, width=width)

    def slice(self, channel: int, channels: int) -> View:
        """Return some of the channels."""
        return replace(self, offset=self.offset + channel, channels=channels)

    def every(self, steps: tuple[int, int], first: tuple[int, int] = (0, 0)) -> View:
        """Return every n-th line and pixel, from a first one on."""
        height, width = (
            -(-(size - begin) // step)
            for size, begin, step in zip((self.height, self.width), first, steps, strict=True)
        )
        return View(
            self.buffer,
            self.offset + first[0] * self.line + first[1] * self.pixel,
            max(height, 0),
            max(width, 0),
            self.channels,
            self.line * steps[0],
            self.pixel * steps[1],
        )

    def access(self, address: int, pieces: int, jump: int, channels: int) -> list[Access]:
        """Return the bytes that a LOAD or SAVE of these pieces covers."""
        return ddr_bytes(self.buffer.register, address, (pieces - 1) * jump + channels)

    @property
    def is_dense(self) -> bool:
        """Whether nothing lies between the pixels and lines."""
        return self.pixel == self.channels and self.line == self.width * self.channels


def dense(buffer: Buffer, shape: tuple[int, int, int], offset: int = 0) -> View:
    """Return a whole image that starts at a byte of a buffer."""
    height, width, channels = shape
    return View(buffer, offset, height, width, channels, width * channels, channels)
