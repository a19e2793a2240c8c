"""Loading and running damaged model files: a result or one ModelError, never the end of the process."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from runtime.xmodels import write_alternating

MUTATIONS = 1000

# In a process of its own, so that a crash is this test's failure and not the end of all tests.
CODE = """
import random, sys
from pathlib import Path
import numpy as np
from nerone import Model
from nerone.errors import ModelError
source, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
generator, original, ran = random.Random(seed), source.read_bytes(), 0
damaged = source.with_suffix(".damaged")
for _ in range(count):
    content = bytearray(original)
    if generator.random() < 0.15:
        del content[generator.randrange(len(content)):]
    else:
        for _ in range(generator.choice([1, 1, 2, 5])):
            content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    damaged.write_bytes(content)
    try:
        model = Model.load(damaged)
        model.run({info.name: np.zeros(info.shape, info.dtype) for info in model.inputs})
        ran += 1
    except ModelError as error:
        assert str(error) and "\\n" not in str(error), repr(str(error))
print(ran)
"""


def test_damaged_models_give_a_result_or_one_error(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")
    path = write_alternating(tmp_path / "model.xmodel")
    command = [sys.executable, "-X", "faulthandler", "-c", CODE, str(path), str(seed), str(MUTATIONS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"seed {seed}: exit code {done.returncode}: {done.stderr[-2000:]}"
    # Names, too, are among what is damaged: some models still run, and most do not.
    assert 0 < int(done.stdout) < MUTATIONS
