"""A connection to a board: the system's ssh and rsync, each failure as one sentence with its remedy."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

from nerone.compat import oldest_python
from nerone.deployment.remote.agent import MARK
from nerone.deployment.remote.answers import Feeder, Limits, collect, decoded
from nerone.deployment.remote.program import agent_program
from nerone.errors import ConfigurationError, DeviceError, Error, TimeoutError

__all__ = ["Connection", "Target", "parse_target", "shell_python"]

# Reads the agent's source from standard input, so that no shell there ever sees it, whichever shell that is.
_BOOTSTRAP = "import sys;exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())).decode())"
_LOST = 255
# rsync's exit codes for a way that broke: socket (a broken pipe too), protocol stream, timeouts, and ssh's own.
_RSYNC_LOST = (10, 12, 30, 35, 255)
# What an action may last longer there than we wait for it.
_GRACE_S = 5
# A way to a board that is slower is none.
_SLOWEST_BYTES_PER_S = 10_000


@dataclass(frozen=True)
class Target:
    """Where a bundle goes: ``host`` is "user@board" as ssh takes it, ``directory`` "" for the home folder."""

    host: str
    directory: str = ""

    def __str__(self) -> str:
        return f"{self.host}:{self.directory}" if self.directory else self.host


def parse_target(text: str) -> Target:
    """Read user@board[:dir].

    Raises
    ------
    ConfigurationError
        where it cannot be one.

    Examples
    --------
    >>> parse_target("root@kv260:models")
    Target(host='root@kv260', directory='models')
    """
    match = re.fullmatch(r"((?:[^@:/\s]+@)?(?:\[[0-9A-Fa-f:.%\w]+\]|[^@:/\s\[\]]+))(?::(.*))?", text, re.DOTALL)
    if not match or match[1].startswith("-") or "@-" in match[1]:
        raise ConfigurationError(f"'{text}' is no target; give user@board or user@board:directory")
    directory = match[2] or ""
    if "\0" in directory:
        raise ConfigurationError("the target's directory contains a zero byte; give another one")
    return Target(match[1].replace("[", "").replace("]", ""), directory)


def shell_python(path: str) -> str:
    """Return a Python's path for a shell, whatever characters it has; only a leading ~/ keeps its meaning."""
    return f'"$HOME"/{shlex.quote(path[2:])}' if path.startswith("~/") else shlex.quote(path)


@dataclass(frozen=True)
class Connection:
    """Runs the agent and rsync on a board.

    Attributes
    ----------
    target : Target
    remote_python : str, the Python there that has NERONE
    ssh_options : sequence of str, settings of ssh_config as "Key=value"; they win over ~/.ssh/config
    connect_timeout_s : int, for the connection
    timeout_s : float, for one action there; while files travel, for as long as no byte of theirs does
    socket : str, path of the socket of a shared connection; "" for a login per action
    """

    target: Target
    remote_python: str = "python3"
    ssh_options: Sequence[str] = ()
    connect_timeout_s: int = 10
    timeout_s: float = 300.0
    socket: str = ""

    @contextlib.contextmanager
    def shared(self) -> Iterator[Connection]:
        """Give a connection that logs in once for all its actions, and log out when the block ends."""
        with tempfile.TemporaryDirectory(prefix="nerone-") as folder:
            # The name of a Unix socket is short (108 bytes, some of which ssh uses itself).
            connection = replace(self, socket=f"{folder}/ssh") if len(folder) < 70 else self
            try:
                yield connection
            finally:
                if connection.socket and Path(connection.socket).exists():
                    with contextlib.suppress(Error, OSError):
                        command = [*connection._ssh(), "-O", "exit", "--", self.target.host]
                        _finish(command, None, Limits(self.connect_timeout_s), self.target.host)

    def call(self, action: str, request: Mapping[str, Any], send: Sequence[Path] = ()) -> dict[str, Any]:
        """Have the agent do an action; ``send`` are files to stream to it.

        Raises
        ------
        DeviceError, ConfigurationError, TimeoutError
            one sentence with what is wrong and what to do.
        """
        limit_s = self._most_s(send)
        program = agent_program(action, {**request, "limit_s": limit_s})
        remote = f"exec {shell_python(self.remote_python)} -c {shlex.quote(_BOOTSTRAP)}"

        def feed(pipe: Feeder) -> None:
            pipe.write(b"%d\n" % len(program) + program)
            if send:
                with tarfile.open(fileobj=cast("IO[bytes]", pipe), mode="w|", dereference=True) as stream:
                    for path in send:
                        stream.add(path, arcname=path.name, recursive=False)

        command = [*self._ssh(), "--", self.target.host, remote]
        code, output, said = _finish(command, feed, Limits(self.timeout_s, limit_s), self.target.host)
        found = re.search(rf"^{MARK}(.*)$", output, re.MULTILINE)
        if not found:
            raise self._failure(code, said)
        answer = decoded(found[1], self.target.host)
        if "error" in answer:
            raise self._refusal(answer)
        return answer

    def rsync(self, files: Sequence[Path], stage: str, basis: str) -> int:
        """Copy files into the folder ``stage`` there; blocks that ``basis`` has already do not travel.

        Returns
        -------
        int, bytes sent
        """
        shell = " ".join(_rsync_quoted(word) for word in self._ssh())
        host = f"[{self.target.host}]" if self.target.host.count(":") > 1 else self.target.host
        host = re.sub(r"^\[(.*@)", r"\1[", host)
        command = ["rsync", "--protect-args", "--copy-links", "--perms", "--checksum", "--stats", "--no-human-readable"]
        # Its own --timeout notices late, or never, that a connection stands still; we watch what it says instead.
        command += ["--info=progress2", "--outbuf=N"]
        command += [
            *([f"--copy-dest={basis}"] if basis else []),
            f"--rsh={shell}",
            "--",
            *map(str, files),
            f"{host}:{stage}/",
        ]
        code, output, said = _finish(command, None, Limits(self.timeout_s, self._most_s(files)), self.target.host)
        if code:
            # Its last line only counts the errors that stand above.
            said = "\n".join(line for line in said.splitlines() if not line.startswith("rsync error:")) or said
            raise self._failure(_LOST if code in _RSYNC_LOST else code, said)
        sent = re.search(r"Total bytes sent: ([\d,.]+)", output)
        return int(re.sub(r"\D", "", sent[1])) if sent else 0

    def _most_s(self, files: Sequence[Path]) -> int:
        size = sum(path.stat().st_size for path in files)
        return math.ceil(self.timeout_s) + _GRACE_S + size // _SLOWEST_BYTES_PER_S

    def _ssh(self) -> list[str]:
        fixed = ("BatchMode=yes", *self.ssh_options, f"ConnectTimeout={self.connect_timeout_s}", "ConnectionAttempts=1")
        # A board that loses its power says nothing more; without these ssh would wait for hours.
        alive = ("ServerAliveInterval=5", "ServerAliveCountMax=3")
        options = (*fixed, *alive)
        if self.socket:
            # Where we are killed, the login ends by itself.
            options += ("ControlMaster=auto", f"ControlPath={self.socket}", "ControlPersist=20")
        return ["ssh", "-T", "-x", *(word for option in options for word in ("-o", option))]

    def _refusal(self, answer: Mapping[str, Any]) -> DeviceError | ConfigurationError:
        text, host = str(answer.get("text", ""))[:1000], self.target.host
        if answer["error"] == "full":
            return DeviceError(f"the disk of {host} is full; make room there or give another directory")
        if answer["error"] == "denied":
            return ConfigurationError(
                f"{host} does not let us write ({text}); give a directory that this user may write to"
            )
        if answer["error"] == "busy":
            return DeviceError(f"another deployment to {host} is under way; wait for its end and deploy again")
        if answer["error"] == "changed":
            return DeviceError(
                f"the files on {host} changed meanwhile ({text}); deploy again, one deployment at a time"
            )
        return DeviceError(f"{host} failed: {text}; run nerone doctor there")

    def _failure(self, code: int, said: str) -> DeviceError | ConfigurationError:
        host, said = self.target.host, said
        last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), f"exit code {code}")
        if re.search(r"No space left on device|Disk quota exceeded", said):
            return DeviceError(f"the disk of {host} is full; make room there or give another directory")
        for pattern, sentence in _SSH_SAYS:
            if code == _LOST and re.search(pattern, said):
                return DeviceError(sentence.format(host=host, last=last))
        if code == _LOST:
            return DeviceError(
                f"the connection to {host} was lost or its process was killed ({last}); check the board with ssh "
                f"{host}, and run nerone doctor there"
            )
        if code in (126, 127) or "not found" in last:
            return DeviceError(
                f"{host} has no '{self.remote_python}'; install Python {oldest_python()} or newer with NERONE there, "
                "or name the one that has it with --remote-python"
            )
        if "SyntaxError" in said:
            return DeviceError(
                f"the Python of {host} is too old; install {oldest_python()} or newer, or name one with --remote-python"
            )
        if code < 0 or code > 128:
            return DeviceError(f"the process on {host} was killed ({last}); run nerone doctor there")
        return DeviceError(f"{host} failed: {last}; run nerone doctor there")


_SSH_SAYS = (
    (
        r"Could not resolve hostname",
        "there is no host '{host}' in the network; check its name, or give its address",
    ),
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the host key of {host} is not the known one; if the board was installed anew, remove the old key with "
        "ssh-keygen -R and connect once with ssh {host}",
    ),
    (
        r"Host key verification failed",
        "the host key of {host} is not known yet; connect once with ssh {host} and accept it",
    ),
    (
        r"Permission denied|Too many authentication failures|no such identity",
        "{host} does not accept our key; copy it there with ssh-copy-id {host}, or name the right key in ~/.ssh/config",
    ),
    (
        r"refused|timed out|No route to host|unreachable|Host is down",
        "{host} does not answer ({last}); switch it on, and check its network and its ssh server",
    ),
    (r"Bad configuration option|command-line.*: ", "ssh does not take an option ({last}); correct ssh_options"),
)


def _rsync_quoted(word: str) -> str:
    """Quote a word of rsync's --rsh: within quotes, a doubled quote stands for itself."""
    return "'" + word.replace("'", "''") + "'"


def _finish(
    command: Sequence[str], feed: Callable[[Feeder], None] | None, limits: Limits, host: str
) -> tuple[int, str, str]:
    """Run a program to its end; it does not outlive us, whatever happens.

    Parameters
    ----------
    feed : writes the program's input; where there is none, what the program says shows that it goes on
    """
    program = shutil.which(command[0])
    if program is None:
        raise ConfigurationError(f"there is no {command[0]} on this machine; install openssh-client")
    # In a session of its own, so that Ctrl-C reaches us alone and we can clear up over a new connection. Its pipes are
    # closed by the threads that use them: ssh's master holds them for as long as the board hangs, and closing one here
    # would wait for that.
    process = subprocess.Popen(
        [program, *command[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    try:
        feeder = Feeder(process, feed)
        feeder.start()
        output, said = collect(process, limits, host, feeder)
    except subprocess.TimeoutExpired as error:
        _stop(process)
        raise TimeoutError(
            f"{host} did not finish in {error.timeout:g} s; raise timeout_s or look at the board"
        ) from error
    except BaseException:
        _stop(process)
        raise
    return process.returncode, output.decode("utf-8", "replace"), said.decode("utf-8", "replace")


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
