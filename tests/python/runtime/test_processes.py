"""Pipelines and models at the edges of a process's life: forks, its end, its limits, Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from nerone import _core
from nerone.runtime.model import Model
from runtime.xmodels import write_doubling
from waiting import PATIENT_S

START = """
import gc, os, signal, sys, threading, time
import numpy as np
from nerone import Model, Pipeline
model, backend = sys.argv[1], sys.argv[2]
image = np.zeros((2, 2, 1), np.float32)
open_pipeline = lambda **more: Pipeline(model, result="real", threads=2, backend=backend, **more)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_doubling(tmp_path_factory.mktemp("model") / "tiny.xmodel")


def run_script(model, text, backend="vart", timeout=PATIENT_S):
    words = [sys.executable, "-c", START + textwrap.dedent(text), str(model), backend]
    return subprocess.run(words, capture_output=True, text=True, timeout=timeout)


@pytest.mark.parametrize("backend", ["vart", "pynq"])
@pytest.mark.parametrize("way", ["pipeline = None; gc.collect()", "pipeline.close()", "sys.exit(0)", "os._exit(run())"])
def test_a_forked_child_ends_and_is_refused(model, way, backend):
    done = run_script(
        model,
        f"""
        import nerone.errors
        pipeline = open_pipeline()
        held = pipeline.run(image)
        for _ in range(20):
            waiting = [pipeline.submit(image) for _ in range(4)]
            pid = os.fork()
            if pid == 0:
                def run():
                    try:
                        pipeline.run(image)
                    except nerone.errors.DeviceError as error:
                        return 0 if "a forked child cannot use it" in str(error) else 3
                    return 4
                held = waiting = None
                {way}
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        assert pipeline.run(image).shape == (2, 2, 1)
        pipeline.close()
        """,
        backend,
    )
    assert done.returncode == 0, done.stderr


def test_a_child_opens_a_pipeline_of_its_own(model):
    done = run_script(
        model,
        """
        pipeline = open_pipeline()
        pipeline.run(image)
        pid = os.fork()
        if pid == 0:
            with open_pipeline() as own:
                own.run(image)
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        """,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("backend", ["vart", "pynq"])
@pytest.mark.parametrize("held", [True, False])
def test_a_daemon_thread_at_the_end_of_the_interpreter(model, backend, held):
    """Whether or not the main thread closes the pipeline first: no signal, and nobody waits."""
    done = run_script(
        model,
        f"""
        from nerone.backends import engine
        if not {held}:
            engine._close_all = lambda: None
        pipeline = open_pipeline(compute=False, job_latency_us=20_000)
        def work():
            for _ in pipeline.map(image for _ in range(100_000)):
                pass
        threading.Thread(target=work, daemon=True).start()
        pipeline.run(image)
        """,
        backend,
    )
    assert done.returncode == 0, done.stderr


def test_a_daemon_thread_in_a_model_at_the_end_of_the_interpreter(model):
    done = run_script(
        model,
        """
        slow = Model.load(model, compute=False, job_latency_us=300_000)
        def work():
            while True:
                slow.run(image[None])
        threading.Thread(target=work, daemon=True).start()
        slow.run(image[None])
        """,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(_core.sanitized, reason="a sanitizer's shadow memory does not fit under a limit of address space")
def test_threads_that_the_system_does_not_give(model):
    done = run_script(
        model,
        """
        import resource
        import nerone.errors
        threads = lambda: len(os.listdir("/proc/self/task"))
        open_pipeline().close()
        before = threads()
        used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (used + (400 << 20),) * 2)
        for _ in range(3):
            try:
                Pipeline(model, result="real", threads=512)
            except nerone.errors.DeviceError as error:
                print(error)
            assert threads() <= before, (threads(), before)
        with open_pipeline() as small:
            assert small.run(image).shape == (2, 2, 1)
        """,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == 3
    assert all(re.search(r"\d+ of 512 (threads|workers)", line) and "use fewer threads" in line for line in said)


def interrupted(work):
    """How long work() lasts after Ctrl-C, which comes when it has begun."""
    start = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    return time.monotonic() - start


def test_ctrl_c_ends_the_wait_for_a_model(model):
    image = np.ones((1, 2, 2, 1), np.float32)
    with Model.load(model) as quick:
        expected = quick.run(image)
    job_s = 4.0
    with Model.load(model, job_latency_us=int(job_s * 1e6)) as slow:
        assert interrupted(lambda: slow.run(image)) < job_s - 1
        # The job goes on behind it; the next one has its turn then.
        assert interrupted(lambda: slow.run(image)) < job_s - 1
        np.testing.assert_array_equal(slow.run(image), expected)


def test_ctrl_c_is_heard_after_quick_runs_and_between_runs(model):
    """A device that was quick and hangs; then a signal that comes while nothing runs."""
    image = np.ones((1, 2, 2, 1), np.float32)

    def run_for_ever():
        while True:
            quick.run(image)

    with Model.load(model) as quick:
        for _ in range(3):
            interrupted(run_for_ever)
        expected = quick.run(image)
        other = threading.Thread(target=lambda: results.append(quick.run(image)))
        results = []
        other.start()
        other.join()
        np.testing.assert_array_equal(results[0], expected)


def test_ctrl_c_reaches_a_run_whose_model_waits_for_another_thread(model):
    """The last run here was quick; another thread's long job holds the model now."""
    image, job_s = np.ones((1, 2, 2, 1), np.float32), 4.0
    with Model.load(model, job_latency_us=int(job_s * 1e6)) as slow:
        other = threading.Thread(target=lambda: slow.run(image))
        other.start()
        assert interrupted(lambda: slow.run(image)) < job_s - 1
        other.join()


def test_an_error_of_a_slow_model_is_its_own(model):
    with Model.load(model, job_latency_us=50_000) as slow:
        for _ in range(2):
            with pytest.raises(ValueError, match="expected"):
                slow.run(np.ones((1, 3, 2, 1), np.float32))


def test_a_run_lets_go_of_its_arrays(model):
    image = np.ones((1, 2, 2, 1), np.float32)
    with Model.load(model, job_latency_us=30_000) as slow:
        before = sys.getrefcount(image)
        slow.run(image)
        assert sys.getrefcount(image) == before


def files(root, contents):
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("contents", "cores"),
    [
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
        # A container without a namespace of its own sees its group as the root of the mount.
        ({"proc/self/cgroup": "0::/docker/0123\n", "sys/fs/cgroup/cpu.max": "20000 100000\n"}, 1),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/a\n0::/\n",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "10000\n",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
            },
            1,
        ),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/../../a\n", "sys/fs/cgroup/cpu.max": "junk\n"}, None),
        ({"proc/self/cgroup": "4:memory:/a\n", "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "-1\n"}, None),
        ({}, None),
    ],
)
def test_cores_of_quotas(tmp_path, contents, cores):
    files(tmp_path, contents)
    assert _core.usable_cores(tmp_path) == (cores or len(os.sched_getaffinity(0)))


def test_cores_of_an_affinity(model):
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert _core.usable_cores() == 1
        assert _core.default_workers(_core.DeviceOptions()) == 1
    finally:
        os.sched_setaffinity(0, allowed)
