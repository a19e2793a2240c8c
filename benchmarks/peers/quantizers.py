"""Compares NERONE's quantizer with OpenVINO's NNCF and AMD's Quark on the same networks and images.

    .venv/bin/python benchmarks/peers/quantizers.py --peers-python build/peers/bin/python \\
        --quark-python build/peers-quark/bin/python --blood BCCD

Every quantization is a process of its own, one after the other. The held-out images take no part in it. Fidelity is
10 log10 of the power of the FP32 logits over the power of the int8 logits' error.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

NETWORKS = ("ct-org", "bccd", "resnet8", "mobilenet-small", "unet-small")
QUANTIZERS = ("nerone", "nerone-ffq", "nerone-qat", "quark", "quark-adaround", "quark-adaquant", "nncf")


def write_network(name: str, folder: Path, chosen: argparse.Namespace) -> None:
    """Write the network in a process of its own."""
    words = [sys.executable, __file__, "--write", name, "--folder", str(folder)]
    words += ["--calibration", str(chosen.calibration), "--held-out", str(chosen.held_out)]
    words += ["--blood", str(chosen.blood)] if chosen.blood else []
    if not (folder / name / "reference.npy").exists():
        subprocess.run(words, check=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})


def quantize(quantizer: str, folder: Path, python: str, images: int | None) -> dict[str, Any] | None:
    """Run one quantizer; None where it fails, after its last words."""
    words = [str(Path(python).absolute()), str(HERE / "quantizer.py"), quantizer, str(folder)]
    words += ["--images", str(images)] if images else []
    # Quark leaves files where it runs.
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        print(f"{quantizer} on {folder.name} failed:", *done.stderr.splitlines()[-3:], sep="\n", file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    found.update(fidelity(np.load(folder / f"{quantizer}.npy"), np.load(folder / "reference.npy")))
    return found


def fidelity(logits: Any, reference: Any) -> dict[str, float]:
    """Return signal over error in dB, and the share of equal classes, of pixels or images."""
    error = float(np.square(logits - reference, dtype=np.float64).sum())
    signal = float(np.square(reference, dtype=np.float64).sum())
    return {
        "snr_db": 10 * np.log10(signal / error) if error else np.inf,
        "same_class": float((logits.argmax(-1) == reference.argmax(-1)).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), help="see networks.py")
    parser.add_argument("--quantizers", nargs="+", default=list(QUANTIZERS))
    parser.add_argument("--peers-python", default="build/peers/bin/python")
    parser.add_argument("--quark-python", default="build/peers-quark/bin/python")
    parser.add_argument("--blood", type=Path, help="folder of BCCD with train/ and test/")
    parser.add_argument("--folder", type=Path, default=Path("build/quantizers"), help="keeps networks and rows")
    parser.add_argument("--calibration", type=int, default=32, help="images")
    parser.add_argument("--held-out", type=int, default=32, help="images")
    parser.add_argument("--images", type=int, nargs="+", default=[0], help="of the calibration images; 0 is all")
    parser.add_argument("--write", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.folder = chosen.folder.absolute()
    if chosen.write:
        from networks import write

        write(chosen.write, chosen.folder / chosen.write, (chosen.calibration, chosen.held_out), chosen.blood)
        return
    pythons = {"nerone": sys.executable, "nncf": chosen.peers_python, "quark": chosen.quark_python}
    columns = ["network", "quantizer", "images", "snr_db", "same_class", "cpu_s", "before_mib", "peak_mib", "version"]
    print("|".join(["", *columns, ""]), "|".join(["", *("---" for _ in columns), ""]), sep="\n")
    for name in chosen.networks:
        write_network(name, chosen.folder, chosen)
        for images in chosen.images:
            for quantizer in chosen.quantizers:
                python = pythons[quantizer.partition("-")[0]]
                row = quantize(quantizer, chosen.folder / name, python, images or None)
                if row is None:
                    continue
                cells = [name, quantizer, row["images"], f"{row['snr_db']:.1f}", f"{100 * row['same_class']:.2f}"]
                cells += [f"{row['cpu_s']:.1f}", f"{row['before_mib']:.0f}", f"{row['peak_mib']:.0f}", row["version"]]
                print("|".join(["", *map(str, cells), ""]), flush=True)
                with (chosen.folder / "rows.jsonl").open("a") as rows:
                    rows.write(json.dumps({"network": name, "quantizer": quantizer, **row}) + "\n")


if __name__ == "__main__":
    main()
