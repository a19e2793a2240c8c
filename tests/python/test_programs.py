"""Programs of others: their lines, their end, and that nothing of them stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nerone.programs import run_program

LONG_S = 60.0


def run(tmp_path, script, *, time_limit_s=LONG_S, on_line=None, **options):
    lines = []
    words = [sys.executable, "-u", "-c", script]
    code = run_program(words, tmp_path, time_limit_s, on_line or lines.append, **options)
    return code, lines


def ended(pid):
    """Wait for a process to be gone, or at least dead where nobody reaps orphans."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_lines_of_both_streams_in_order_and_the_folder(tmp_path):
    script = "import os, sys; print(os.getcwd()); print('two', file=sys.stderr); print('no line end', end='')"
    assert run(tmp_path, script) == (0, [str(tmp_path.resolve()), "two", "no line end"])


def test_there_is_no_input_and_bytes_that_are_no_text_pass(tmp_path):
    script = "import sys; print(repr(sys.stdin.read())); sys.stdout.buffer.write(b'\\xff\\n')"
    assert run(tmp_path, script) == (0, ["''", "\ufffd"])


@pytest.mark.parametrize(
    ("script", "code"),
    [("raise SystemExit(7)", 7), ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL)],
)
def test_the_exit_code(tmp_path, script, code):
    assert run(tmp_path, script)[0] == code


def test_lines_come_on_the_callers_thread(tmp_path):
    threads = []
    run(tmp_path, "print(1); print(2)", on_line=lambda line: threads.append(threading.current_thread()))
    assert threads == [threading.current_thread()] * 2


def test_more_lines_than_a_pipe_holds(tmp_path):
    assert run(tmp_path, "for i in range(30_000): print(i)")[1] == [str(i) for i in range(30_000)]


def test_a_program_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        run_program([str(tmp_path / "absent")], tmp_path, 1.0, print)


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_late_program_is_stopped_with_what_it_started(tmp_path, stubborn):
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " if stubborn else ""
    script = (
        f"{ignore}import os, subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "open('pids', 'w').write(f'{os.getpid()} {child.pid}'); print('started'); time.sleep(600)"
    )
    cleared = []
    with pytest.raises(subprocess.TimeoutExpired):
        run(tmp_path, script, time_limit_s=3.0, clear_up=lambda: cleared.append(True))
    assert cleared == [True]
    # A machine that takes longer to start Python has nothing left to stop.
    pids = (tmp_path / "pids").read_text().split() if (tmp_path / "pids").exists() else []
    assert all(ended(int(pid)) for pid in pids)


def test_what_a_program_leaves_running_is_ended_and_its_pipe_not_waited_for(tmp_path):
    script = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)"
    )
    code, lines = run(tmp_path, script)
    assert code == 0
    assert ended(int(lines[0]))


def test_an_error_of_the_callers_stops_the_program(tmp_path):
    def refuse(line):
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt) as caught:
        run(tmp_path, "import os, time; print(os.getpid()); time.sleep(600)", on_line=refuse)
    assert ended(int(str(caught.value)))


def test_the_program_has_a_session_of_its_own(tmp_path):
    _, lines = run(tmp_path, "import os; print(os.getsid(0))")
    assert int(lines[0]) != os.getsid(0)
