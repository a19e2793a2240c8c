"""A simulator of the DPU in numpy: one instruction after the other, on banks that begin full of garbage.

It is the judge of what the emitter writes, so it knows nothing of the emitter: bytes of instructions and registers go
in, and it decodes them as a board would.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compilation.emit_hazards import Order
from nerone.compilation.emit.machine import BANK_ROWS, WRAPS, Machine
from nerone.errors import ModelError

__all__ = ["Simulator"]

Fields = Mapping[str, int]
Values = NDArray[np.float64]
_SLACK = 3  # bytes behind a register that masked LOADs of first layers may read
_MASKED = 64  # bytes of a piece that masks apply to, at most
_AVERAGES = {(3, 3): 28 / 256, (5, 5): 10 / 256, (6, 6): 7 / 256, (7, 7): 21 / 1024}


def _rounded(values: Values) -> NDArray[np.int8]:
    return np.clip(np.floor(values + 0.5), -128, 127).astype(np.int8)


def _shifted(values: Values, shift: int) -> Values:
    return values * 2.0 ** (8 - shift) if shift >= 8 else values * 2.0**shift


class Simulator:
    """Executes instructions.

    Parameters
    ----------
    machine : Machine
    registers : int8 arrays by number; SAVEs change them
    seed : of the garbage in the banks
    """

    def __init__(self, machine: Machine, registers: dict[int, NDArray[np.int8]], seed: int = 0) -> None:
        self.machine, self.registers = machine, registers
        shape = (machine.bias_bank + 1, BANK_ROWS, machine.channels)
        self._banks = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)
        self._set_up: dict[str, Fields] = {}
        self._elements: list[Fields] = []
        self.order = Order(machine.bias_bank + 1, {number: len(data) for number, data in registers.items()})

    def run(self, code: bytes) -> None:
        """Execute a stream.

        Raises
        ------
        ModelError
            naming the instruction that reads or writes outside of a register, that no DPU can execute, that waits for
            nothing, or that relies on another engine without waiting for it.
        """
        from nerone import _core

        for index, (name, fields, waits, gives, _) in enumerate(_core.decode_instructions(code, self.machine.isa)):
            self.order.begin(index, name, waits)
            try:
                getattr(self, f"_{name.lower()}")(fields)
                self.order.end(gives)
            except (IndexError, KeyError, AttributeError) as error:
                raise ModelError(f"instruction {index} ({name}) cannot be executed: {error}") from error

        if self.order.unordered:
            count, first = len(self.order.unordered), self.order.unordered[0]
            raise ModelError(f"{count} instructions rely on others that they do not wait for: {first}")
        if self.order.left():
            raise ModelError(f"{self.order.left()} tokens are left behind")

    def _get(self, bank: int, rows: NDArray[np.int64]) -> NDArray[np.int8]:
        self.order.read((0, bank), rows)
        found: NDArray[np.int8] = self._banks[bank, rows]
        return found

    def _put(self, bank: int, rows: NDArray[np.int64], data: NDArray[np.int8]) -> None:
        self.order.write((0, bank), rows)
        self._banks[bank, rows] = data

    # Transfers

    def _transfer(self, fields: Fields, in_ddr: str, in_bank: str) -> tuple[Any, Any, int]:
        """Return the places of bytes in DDR (pieces, bytes) and of rows (pieces, rows), and the bytes of a piece."""
        pieces, size = np.arange(fields["length"])[:, None], fields["channel"]
        ddr = fields["ddr"] + pieces * fields[in_ddr] + np.arange(size)
        rows = fields["addr"] + pieces * fields[in_bank] + np.arange(self.machine.groups(size))
        register = self.registers[fields["reg"]]
        slack = _SLACK if in_ddr == "jump_read" else 0
        if ddr.max() >= register.size + slack:
            raise IndexError(f"byte {ddr.max()} of register {fields['reg']}, which has {register.size}")
        return ddr, rows % BANK_ROWS, size

    def _load(self, fields: Fields) -> None:
        ddr, rows, size = self._transfer(fields, "jump_read", "jump_write")
        register = self.registers[fields["reg"]]
        self.order.read((1, fields["reg"]), ddr)
        data = np.zeros((*rows.shape, self.machine.channels), np.int8).reshape(len(rows), -1)
        data[:, :size] = np.where(ddr < register.size, register[np.minimum(ddr, register.size - 1)], 0)
        if fields["jump_read"] <= size <= _MASKED:
            for piece in range(len(rows)):
                data[piece, : max(0, fields["pad_start"] - piece * fields["jump_read"])] = 0
            for number in range(fields["pad_idx"]):
                count = fields["pad_end"] + number * fields["jump_read"]
                data[len(rows) - fields["pad_idx"] + number, data.shape[1] - count :] = 0
        elif fields["pad_start"] or fields["pad_end"]:
            raise IndexError("a mask on pieces that it does not apply to")
        self._put(fields["bank"], rows, data.reshape(*rows.shape, -1))

    def _save(self, fields: Fields) -> None:
        ddr, rows, size = self._transfer(fields, "jump_write", "jump_read")
        data = self._get(fields["bank"], rows).reshape(len(rows), -1)
        self.order.write((1, fields["reg"]), ddr)
        self.registers[fields["reg"]][ddr] = data[:, :size]

    def _end(self, fields: Fields) -> None:
        pass

    # Set-ups

    def _convinit(self, fields: Fields) -> None:
        self._set_up["CONV"] = fields

    def _dwinit(self, fields: Fields) -> None:
        self._set_up["DPTWISE"] = fields

    def _poolinit(self, fields: Fields) -> None:
        self._set_up["POOL"] = fields

    def _aluinit(self, fields: Fields) -> None:
        self._set_up["ALU"] = fields

    def _elewinit(self, fields: Fields) -> None:
        self._elements.append(fields)

    # Windows

    def _window(self, fields: Fields, fill: int) -> Values:
        """Return the window (lines, columns, channels) that an instruction reads."""
        pixels, groups = self.machine.pixels, fields["cg"]
        high = (fields["vpp"] - 1) * fields["stride_h"] + fields["kernel_h"]
        wide = (fields["length"] - 1) * fields["stride_w"] + fields["kernel_w"]
        first, at = divmod(fields["bank_in"], pixels)
        found = np.full((high, wide, groups * self.machine.channels), float(fill))
        left, right = fields["pad_l"], min(wide, wide - fields["kernel_w"] + fields["pad_r"] + 1)
        steps = np.arange(left, max(left, right))[:, None] * fields["jump_read"] + np.arange(groups)
        for line in range(fields["pad_t"], min(high, high - fields["kernel_h"] + fields["pad_b"] + 1)):
            unit, part = divmod(fields["stride_offset_in"] + line, fields["stride_h"])
            turn, bank = divmod(at + unit, pixels)
            if turn >= WRAPS:
                raise IndexError(f"line {line} of its window is in the {turn + 1}th run through the banks")
            start = fields[f"in{turn}"] + part * fields["jump_read_endl"]
            rows = (start + steps) % BANK_ROWS
            if rows.size:
                found[line, left:right] = self._get(first * pixels + bank, rows).reshape(len(rows), -1)
        unused = fields.get("ch_off", 0)
        if unused:
            found[:, :, -unused:] = 0
        return found

    def _taps(self, fields: Fields, window: Values) -> Any:
        """Yield each tap's number and what it meets, (lines, columns, channels)."""
        down, right = fields["stride_h"], fields["stride_w"]
        high, wide = (fields["vpp"] - 1) * down + 1, (fields["length"] - 1) * right + 1
        for ky in range(fields["kernel_h"]):
            for kx in range(fields["kernel_w"]):
                part = window[ky : ky + high : down, kx : kx + wide : right]
                yield ky * fields["kernel_w"] + kx, part

    def _write(self, fields: Fields, values: NDArray[np.int8], rows: int) -> None:
        """Write a tile whose pixels take some rows each."""
        pixels, each = self.machine.pixels, fields.get("stride_out", 1)
        first, at = divmod(fields["bank_out"], pixels)
        steps = np.arange(values.shape[1])[:, None] * fields["jump_write"] + np.arange(rows)
        for line in range(values.shape[0]):
            unit, part = divmod(line + fields.get("stride_offset_out", 0), each)
            turn, bank = divmod(at + unit, pixels)
            start = fields["out"] + (turn * each + part) * fields["jump_write_endl"]
            data = values[line].reshape(values.shape[1], rows, -1)
            self._put(first * pixels + bank, (start + steps) % BANK_ROWS, data)

    def _finish(self, sums: Values, biases: Values, fields: Fields) -> NDArray[np.int8]:
        values = (2 * sums + biases * 2.0 ** fields["shift_bias"]) / 2.0 ** (fields["shift_cut"] + 1)
        activation = fields["act"]
        if activation == 1:
            values = np.maximum(values, 0)
        elif activation == 3:
            values = np.where(values < 0, values * 26 / 256, values)
        elif activation == 4:
            values = np.clip(np.floor(values + 0.5), 0, 96)
        elif activation:
            raise KeyError(f"activation {activation}")
        return _rounded(values)

    def _conv(self, own: Fields) -> None:
        fields = {**self._set_up["CONV"], **own}
        window, groups = self._window(fields, 0), fields["cg"]
        taps = fields["kernel_h"] * fields["kernel_w"]
        rows = (fields["waddr"] + np.arange(taps * groups)) % BANK_ROWS
        bank = self.machine.weight_bank
        lanes = range(bank, bank + self.machine.channels)
        weights = np.stack([self._get(lane, rows) for lane in lanes]).astype(np.float64)
        weights = weights.reshape(self.machine.channels, taps, -1)
        sums = sum(part @ weights[:, tap].T for tap, part in self._taps(fields, window))
        biases = self._get(self.machine.bias_bank, np.array([fields["baddr"]]))[0].astype(np.float64)
        self._write(fields, self._finish(sums, biases, fields), 1)

    def _dptwise(self, own: Fields) -> None:
        fields = {**self._set_up["DPTWISE"], **own}
        self._depthwise(fields, fields["cg"])

    def _depthwise(self, fields: Fields, step: int) -> None:
        groups = np.arange(fields["cg"])
        window, bank = self._window(fields, 0), self.machine.depthwise_bank
        sums = np.zeros((fields["vpp"], fields["length"], window.shape[2]))
        for tap, part in self._taps(fields, window):
            rows = (fields["waddr"] + tap * step + groups) % BANK_ROWS
            sums += part * self._get(bank, rows).reshape(-1).astype(np.float64)
        biases = self._get(self.machine.bias_bank, (fields["baddr"] + groups) % BANK_ROWS)
        result = self._finish(sums, biases.reshape(-1).astype(np.float64), fields)
        self._write(fields, result, fields["cg"])

    def _check_lines(self, lines: int) -> None:
        if lines > self.machine.misc_lines:
            raise IndexError(f"{lines} lines, of {self.machine.misc_lines}")

    def _alu(self, own: Fields) -> None:
        fields = {**self._set_up["ALU"], **own}
        self._check_lines(fields["vpp"])
        mode = fields["mode"]
        if mode == 0:
            self._depthwise(fields, fields["jump_read_w"])
            return
        window = self._window(fields, -128 if mode == 3 else 0)
        if mode == 3:
            result = _shifted(self._maximum(fields, window), fields["shift_cut"])
        elif mode == 2:
            factor = fields["multi"] - 256 if fields["multi"] > 127 else fields["multi"]
            sums = sum(part for _, part in self._taps(fields, window))
            result = _shifted(sums * factor, fields["shift_cut"])
        elif mode == 7:
            gate = window * 2731 + 3 * 2731 * 2.0 ** fields["shift_bias"]
            result = np.clip(gate, 0, 2.0**32) / 2.0 ** fields["shift_cut"]
        else:
            raise KeyError(f"mode {mode}")
        self._write(fields, _rounded(result), fields["cg"])

    def _maximum(self, fields: Fields, window: Values) -> Values:
        found: Values = np.maximum.reduce([part for _, part in self._taps(fields, window)])
        return found

    def _pool(self, own: Fields) -> None:
        fields = {**self._set_up["POOL"], **own}
        self._check_lines(fields["vpp"])
        if fields["type"] not in (0, 1):
            raise KeyError(f"type {fields['type']}")
        window = self._window(fields, -128 if fields["type"] == 0 else 0)
        if fields["type"] == 0:
            result = self._maximum(fields, window)
        else:
            kernel = (fields["kernel_h"], fields["kernel_w"])
            factor = _AVERAGES.get(kernel, 1 / (kernel[0] * kernel[1]))
            result = sum(part for _, part in self._taps(fields, window)) * factor
        self._write(fields, _rounded(_shifted(result, fields["shift_cut"])), fields["cg"])

    def _elew(self, fields: Fields) -> None:
        self._check_lines(fields["vpp"])
        elements, self._elements = self._elements, []
        if len(elements) != fields["num"]:
            raise IndexError(f"{len(elements)} inputs, expected {fields['num']}")
        parts = [np.floor(self._read(fields, one) * 4 / 2.0 ** one["shift_read"]) for one in elements]
        total = np.add.reduce(parts) if fields["type"] == 0 else np.multiply.reduce(parts)
        right, shift = (16 if self.machine.isa == 1 else 8), fields["shift_write"]
        total = total * 2.0 ** (shift if shift < right else right - shift) / (4 if fields["type"] == 0 else 16)
        if fields["act"]:
            total = np.maximum(total, 0)
        self._write(fields, _rounded(total), fields["cg"])

    def _read(self, fields: Fields, one: Fields) -> Values:
        """Return one input of an ELEW, (lines, columns, channels)."""
        pixels, lines = self.machine.pixels, []
        first, at = divmod(one["bank_in"], pixels)
        steps = np.arange(fields["length"])[:, None] * one["jump_read"] + np.arange(fields["cg"])
        for line in range(fields["vpp"]):
            turn, bank = divmod(at + line * one.get("jump_bank", 1), pixels)
            rows = (one["in"] + turn * one["jump_read_endl"] + steps) % BANK_ROWS
            lines.append(self._get(first * pixels + bank, rows).reshape(fields["length"], -1))
        return np.stack(lines).astype(np.float64)
