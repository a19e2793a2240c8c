"""Compares NERONE's software DPU with the field's CPU engines: one command, verified results, ratios with their spread.

    python benchmarks/peers/compare.py --peers-python build/peers/bin/python

Engines run in processes of their own, turn by turn, so that a slow state of the machine meets them all; only ratios
within one round count. A round in which the register loop (the processor's peak) or an engine's own windows scatter
is repeated. One image at a time; logits out; images in memory, prepared for each engine before the clock starts.
On a machine that others load use --processor-time: no round is repeated, and ratios are those of processor time.
"""

from __future__ import annotations

import argparse
import json
import math
import operator
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import standard  # noqa: E402
from history import Conditions, append, losses  # noqa: E402

MODELS = [f"{task}-{variant}" for variant in ("published", "paper") for task in ("ct-org", "brats", "prostate", "bccd")]
PEERS = ("openvino", "tflite", "onnxruntime", "tensorflow")
STABLE = 0.92  # share of the best peak, and of an engine's best window, that a stable round keeps
FLOOR, STANDARD_FLOOR = 1.4, 1.0
# Instructions to hold both to on a processor that has more: NERONE's kernels, and the limit that oneDNN, which does
# OpenVINO's convolutions, takes from its environment. The other peers take none.
TIERS = {"avx2": ("jit-avx2", "AVX2"), "avx-vnni": ("jit-avx-vnni", "AVX2_VNNI")}


@dataclass
class Candidate:
    """A worker: an engine, and how it uses the threads."""

    engine: str
    threads: int
    instances: int
    process: Any = None
    agreement: float = 0.0
    standard_error: float = 0.0  # of the agreement, over images
    walls: list[float] = field(default_factory=list)  # images per second, one per round
    cpus: list[float] = field(default_factory=list)  # images per second of processor time

    def start(self, python: str, folder: Path, tier: str | None = None) -> None:
        """Start the process and take its verification."""
        words = [python, str(HERE / "worker.py"), self.engine, str(folder)]
        words += ["--threads", str(self.threads), "--instances", str(self.instances)]
        environment = dict(os.environ)
        if tier is not None:
            kernels, environment["ONEDNN_MAX_CPU_ISA"] = TIERS[tier]
            words += ["--kernels", kernels] if self.engine == "nerone" else []
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        answer = self._answer()
        self.agreement, self.standard_error = answer["agreement"], answer["standard_error"]

    def turn(self, seconds: float) -> float:
        """Run for a while; the median window over the best one says how stable it was."""
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        windows = self._answer()
        walls = [wall for wall, _ in windows]
        self.walls.append(statistics.median(walls))
        self.cpus.append(statistics.median(cpu for _, cpu in windows))
        return self.walls[-1] / max(walls)

    def drop_round(self) -> None:
        """Forget the last turn."""
        self.walls.pop()
        self.cpus.pop()

    def stop(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait(30)

    def _answer(self) -> Any:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the worker of '{self.engine}' ended; run it by hand to see why: {HERE / 'worker.py'}")
        return json.loads(line)


def candidates(engines: Sequence[str], threads: int) -> list[Candidate]:
    """With two threads a peer may split one image or take two images; what is faster counts."""
    found = []
    for engine in engines:
        found.append(Candidate(engine, 1, threads))
        if threads > 1 and engine != "nerone":
            found.append(Candidate(engine, threads, 1))
    return found


def measure(workers: Sequence[Candidate], rounds: int, seconds: float, *, repeats: bool) -> tuple[float, int]:
    """Take turns; returns the peak in GMAC/s and how many rounds stayed unstable, after repetitions or without."""
    from nerone.evaluation.profile import peak_gmacs

    best_peak, unstable, attempts = peak_gmacs(0.2), 0, 0
    while len(workers[0].walls) < rounds:
        attempts += 1
        peak = peak_gmacs(0.05)
        best_peak = max(best_peak, peak)
        steady = min(worker.turn(seconds) for worker in workers)
        if peak >= STABLE * best_peak and steady >= STABLE:
            continue
        if repeats and attempts <= 2 * rounds:
            for worker in workers:
                worker.drop_round()
        else:
            unstable += 1
    return best_peak, unstable


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4)
    return low, middle, high


def summarize(
    name: str, threads: int, workers: Sequence[Candidate], macs: int, peak: float, options: argparse.Namespace
) -> dict[str, Any]:
    """One row: the best candidate of each engine, ratios round by round."""
    own = next(worker for worker in workers if worker.engine == "nerone")
    row: dict[str, Any] = {"model": name, "threads": threads, "engines": {}, "peak_gmacs": peak}
    row["fraction_of_peak"] = macs * statistics.median(own.walls) / 1e9 / (peak * threads) if peak else None
    for engine in dict.fromkeys(worker.engine for worker in workers):
        rates = operator.attrgetter("cpus" if options.processor_time else "walls")
        best = max((w for w in workers if w.engine == engine), key=lambda w: statistics.median(rates(w)))
        ratios = [mine / theirs for mine, theirs in zip(own.walls, best.walls, strict=True)]
        cpu_ratios = [mine / theirs for mine, theirs in zip(own.cpus, best.cpus, strict=True)]
        low, middle, high = quartiles(ratios)
        cpu_low, cpu_middle, cpu_high = quartiles(cpu_ratios)
        row["engines"][engine] = {
            "fps": statistics.median(best.walls),
            "ratio": middle,
            "ratio_low": low,
            "ratio_high": high,
            "cpu_ratio_low": cpu_low,
            "cpu_ratio": cpu_middle,
            "cpu_ratio_high": cpu_high,
            "agreement": best.agreement,
            "standard_error": best.standard_error,
            "parallel": "images" if best.instances > 1 else "within an image",
        }
    return row


def print_row(row: dict[str, Any]) -> None:
    """One line per engine."""
    share = "" if row["fraction_of_peak"] is None else f", {row['fraction_of_peak']:.0%} of the peak"
    flag = f" ({row['unstable_rounds']} unstable rounds)" if row["unstable_rounds"] else ""
    print(f"{row['model']}, {row['threads']} thread(s){share}{flag}")
    for engine, found in row["engines"].items():
        wall, cpu = (
            f"{found[clock]:.2f} ({found[f'{clock}_low']:.2f} to {found[f'{clock}_high']:.2f})"
            for clock in ("ratio", "cpu_ratio")
        )
        print(
            f"  {engine:12} {found['fps']:8.1f} images/s   NERONE is {wall} times as fast, by processor time {cpu}; "
            f"classes as FP32 {found['agreement']:.1%}",
            flush=True,
        )


def compare(name: str, threads: int, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one model with one number of threads."""
    from nerone.compilation.inspection import inspect_xmodel

    workers = candidates(("nerone", *options.engines), threads)
    try:
        for worker in workers:
            own = worker.engine in ("nerone", "tensorflow")
            worker.start(sys.executable if own else options.peers_python, folder, options.tier)
        peak, unstable = measure(workers, options.rounds, options.seconds, repeats=not options.processor_time)
    finally:
        for worker in workers:
            if worker.process is not None:
                worker.stop()
    row = summarize(name, threads, workers, inspect_xmodel(folder / "model.xmodel")["macs"], peak, options)
    row["unstable_rounds"] = unstable
    if options.tier is not None:
        row["fraction_of_peak"] = None  # the peak is that of the processor's best instructions
    return row


def floor_of(name: str) -> float:
    """Times OpenVINO that a model has to be."""
    return STANDARD_FLOOR if name in standard.NETWORKS else FLOOR


def failures(rows: Sequence[dict[str, Any]], ratio: str) -> list[str]:
    """What misses the floor by the ratio of this name, or disagrees with FP32 more than the worst INT8 peer does.

    By more than five points and two standard errors: of sixteen classified images one or two are chance.
    """
    found = []
    for row in rows:
        engines, own = row["engines"], row["engines"]["nerone"]
        peers = [engines[peer] for peer in engines if peer not in ("nerone", "tensorflow")]
        worst = min(peers, key=lambda peer: peer["agreement"], default=own)
        chance = 2 * math.hypot(own["standard_error"], worst["standard_error"])
        if own["agreement"] < worst["agreement"] - 0.05 - chance:
            found.append(f"{row['model']}: NERONE's classes agree with FP32 on {own['agreement']:.1%} only")
        if "openvino" in engines and engines["openvino"][ratio] < floor_of(row["model"]):
            found.append(f"{row['model']}, {row['threads']} threads: {engines['openvino'][ratio]:.2f} x OpenVINO")
    return found


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers-python", required=True, help="interpreter with requirements.txt installed")
    known = [*MODELS, *standard.NETWORKS]
    parser.add_argument(
        "--models", nargs="+", default=MODELS, choices=known, metavar="MODEL", help=f"of {', '.join(known)}"
    )
    parser.add_argument("--engines", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--tier", choices=TIERS, help="holds NERONE and OpenVINO to a processor that has no more")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.4, help="of one turn")
    parser.add_argument("--processor-time", action="store_true", help="for a machine that others load")
    parser.add_argument("--folder", type=Path, help="keeps the exported models for the next time")
    parser.add_argument("--json", type=Path, help="writes all figures there")
    parser.add_argument("--history", type=Path, help="appends the ratios, and fails where one was lost")
    options = parser.parse_args()
    if options.tier and (options.engines != ["openvino"] or options.history):
        parser.error("--tier goes with --engines openvino, which alone can be limited, and without --history")
    if "onnxruntime" in options.engines and not set(options.models).isdisjoint(standard.NETWORKS):
        parser.error("standard networks have no ONNX file; name --engines without onnxruntime")
    return options


def export(options: argparse.Namespace, place: Path) -> None:
    """Write what is missing of the models' folders for the engines."""
    tflite = "tflite" in options.engines
    needed = ["reference.npy", "openvino.xml", *(["model.tflite"] if tflite else [])]
    missing = [name for name in options.models if not all((place / name / file).exists() for file in needed)]
    if not missing:
        return
    words = [sys.executable, str(HERE / "export.py"), *missing, "--folder", str(place)]
    words += [] if tflite else ["--without-tflite"]
    subprocess.run(words, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    words = [options.peers_python, str(HERE / "prepare.py"), *(str(place / name) for name in missing)]
    subprocess.run(words, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def main() -> int:
    """Export, quantize, measure; 1 where a target is missed."""
    options, before = parse(), Conditions.now()
    with tempfile.TemporaryDirectory() as temporary:
        place = options.folder or Path(temporary)
        export(options, place)
        rows = []
        for threads in options.threads:
            for name in options.models:
                rows.append(compare(name, threads, place / name, options))
                print_row(rows[-1])
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    clock = "processor" if options.processor_time else "wall"
    missed = failures(rows, "cpu_ratio" if options.processor_time else "ratio")
    if options.history:
        missed += losses(options.history, rows, clock)
        append(options.history, rows, clock, Conditions.now().since(before))
    for sentence in missed:
        print(f"missed: {sentence}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
