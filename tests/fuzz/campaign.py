"""Send mutants to a door in processes of their own: python -m tests.fuzz.campaign [DOOR ...] --minutes 1 --seed 1."""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MEMORY_BYTES = 4 << 30
HANG_S = 60.0
# Imports and seeds, on a machine that does much else.
START_S = 600.0
# A disk takes ten times as long to replace a small file as the door takes to read it.
SCRATCH = next((folder for folder in ("/dev/shm",) if os.access(folder, os.W_OK | os.X_OK)), None)


def mutant(seed: bytes, rng: random.Random) -> bytes:
    """Change some bytes, numbers or parts of a file."""
    data = bytearray(seed)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at, way = rng.randrange(len(data) or 1), rng.randrange(7)
        if way == 0 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif way == 1 and data:
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif way == 2:
            del data[at : at + rng.choice((1, 2, 8, 64))]
        elif way == 3:
            data[at:at] = data[at : at + rng.choice((1, 8, 64))]
        elif way == 4:
            del data[at:]
        elif way == 5:
            width = rng.choice((2, 4, 8))
            data[at : at + width] = rng.choice((0, 1, (1 << 8 * width) - 1, 1 << (8 * width - 1))).to_bytes(
                width, "little"
            )
        else:
            data[at:at] = rng.choice((b"1e999", b"-1", b"9" * 40, b"\x00", b"\xff\xff", b"null", b"[[[[", b"NaN"))
    return bytes(data)


def work(name: str, folder: Path, seconds: float, seed: int, most: int) -> None:
    """Open a door with mutants until the time is over or there were enough; print counts."""
    import warnings

    warnings.simplefilter("ignore")
    sys.path[:0] = [str(ROOT / "tests/python"), str(ROOT)]
    from tests.fuzz.doors import DOORS

    from nerone.errors import Error

    door, rng = DOORS[name], random.Random(seed)
    (folder / "seeds").mkdir(exist_ok=True)
    (folder / "mutants").mkdir(exist_ok=True)
    files = door.seeds(folder / "seeds")
    for file in files:
        door.enter(file)
    seeds = [(folder / "mutants" / file.name, file.read_bytes()) for file in files]
    resource.setrlimit(resource.RLIMIT_AS, (_used_bytes() + MEMORY_BYTES,) * 2)
    print("ready", flush=True)
    counts = {"mutants": 0, "taken": 0, "refused": 0}
    start = time.monotonic()
    while time.monotonic() - start < seconds and counts["mutants"] < most:
        path, content = rng.choice(seeds)
        change = door.mutate if door.mutate is not None and rng.random() < 0.5 else mutant
        path.write_bytes(change(content, rng))
        counts["mutants"] += 1
        try:
            door.enter(path)
            counts["taken"] += 1
        except Error:
            counts["refused"] += 1
    counts["seconds"] = round(time.monotonic() - start)
    usage = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    counts["MB at most"] = max(usage) * 1024 // 1_000_000
    print(json.dumps(counts))
    sys.stdout.flush()
    os._exit(0)  # servers of a door may still be answering


def _used_bytes() -> int:
    status = Path("/proc/self/status").read_text("ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmSize")) * 1024


def campaign(name: str, seconds: float, seed: int, most: int = 1 << 60) -> tuple[dict[str, int], str]:
    """Run one door; return the counts and what was found, "" where nothing was. A finding's mutant is kept."""
    with tempfile.TemporaryDirectory(prefix="nerone-fuzz-", dir=SCRATCH) as scratch:
        folder = Path(scratch)
        words = [sys.executable, "-m", "tests.fuzz.campaign", "--worker", name, scratch]
        words += [str(seconds), str(seed), str(most)]
        with (folder / "said").open("w+") as errors:
            process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
            late = threading.Timer(START_S, process.kill)
            late.start()
            process.stdout.readline()
            late.cancel()
            try:
                out, said = process.communicate(timeout=seconds + HANG_S)[0], ""
            except subprocess.TimeoutExpired:
                process.kill()
                out, said = "", f"a mutant takes longer than {HANG_S:g} s"
                process.communicate()
            errors.seek(0)
            said = said or errors.read()
        if process.returncode == 0:
            return json.loads(out.splitlines()[-1]), ""
        kept = ROOT / "build" / "fuzz" / f"{name}-{seed}"
        kept.mkdir(parents=True, exist_ok=True)
        for path in (folder / "mutants").glob("*"):
            if path.is_file():
                (kept / path.name).write_bytes(path.read_bytes())
        last = [line for line in said.splitlines() if line.strip()][-1:] or ["no words"]
        return {}, f"exit code {process.returncode}: {last[0]}; the mutant is in {kept.relative_to(ROOT)}"


def main() -> int:
    """Run the doors in turn; exit code 1 where something was found."""
    if sys.argv[1:2] == ["--worker"]:
        name, folder, seconds, seed, most = sys.argv[2:7]
        work(name, Path(folder), float(seconds), int(seed), int(most))
        return 0
    from tests.fuzz.doors import DOORS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("doors", nargs="*", help=f"of {', '.join(DOORS)}; all of them where none is given")
    parser.add_argument("--minutes", type=float, default=1.0, help="for all doors together")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--mutants", type=int, default=1 << 60, help="of a door at most")
    options = parser.parse_args()
    names, found = options.doors or list(DOORS), 0
    for name in names:
        counts, finding = campaign(name, 60 * options.minutes / len(names), options.seed, options.mutants)
        text = ", ".join(f"{number} {kind}" for kind, number in counts.items())
        print(f"{name} (seed {options.seed}): {finding or text}", flush=True)
        found += bool(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
