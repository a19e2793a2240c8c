"""The node's spool: a folder of instances and a SQLite queue of series that a killed process leaves whole."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from nerone.bundle.writing import write_error
from nerone.errors import ConfigurationError

__all__ = ["Spool"]

_TABLES = """
CREATE TABLE IF NOT EXISTS series (
    uid TEXT PRIMARY KEY, state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, said TEXT NOT NULL DEFAULT '',
    changed REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS instances (
    series TEXT NOT NULL, uid TEXT NOT NULL, PRIMARY KEY (series, uid)
);
"""


class Spool:
    """Series on their way through the states received, ready, running, and done or failed.

    An instance is written and synced before its row is, and its row before it is acknowledged: what was acknowledged is
    never lost, and what was not is sent again by its sender.

    Parameters
    ----------
    folder : made where it is missing; one process at a time uses it

    Raises
    ------
    ConfigurationError
        If another process uses it, or nothing can be written there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            # Images of patients: for nobody else's eyes.
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in ("incoming", "work", "made"):
                (folder / name).mkdir(exist_ok=True)
            self._locked = (folder / "lock").open("w")
        except OSError as error:
            raise write_error(folder, error) from error
        try:
            fcntl.flock(self._locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._locked.close()
            raise ConfigurationError(
                f"another node uses the spool '{folder}'; give this one its own with --spool"
            ) from error
        try:
            self._open()
        except sqlite3.Error as error:
            self._locked.close()
            raise ConfigurationError(
                f"the queue '{folder / 'queue.sqlite'}' cannot be used ({error}); mend it or take a new folder"
            ) from error

    def _open(self) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            self.folder / "queue.sqlite", check_same_thread=False, isolation_level=None, timeout=30
        )
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_TABLES)
        self._database.execute(
            "UPDATE series SET state='ready', tries=0, said='' WHERE state IN ('ready', 'running', 'failed')"
        )
        for scratch in (self.folder / "work").iterdir():
            shutil.rmtree(scratch)
        waiting = {self.made(uid) for uid, state, _ in self.series() if state != "done"}
        for left in (self.folder / "made").iterdir():
            if left not in waiting:
                shutil.rmtree(left)
        now = time.monotonic()
        # Silence is counted from the start: a sender may be about to go on.
        self._heard = {uid: now for uid, state, _ in self.series() if state == "received"}
        self._not_before: dict[str, float] = {}

    def close(self) -> None:
        """Let another process use the spool."""
        with self._lock:
            self._database.close()
        self._locked.close()

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise

    def series(self) -> list[tuple[str, str, str]]:
        """Return (UID, state, why it failed) of every series."""
        with self._lock:
            return list(self._database.execute("SELECT uid, state, said FROM series ORDER BY changed, uid"))

    def file(self, series: str, instance: str) -> Path:
        """Return where an instance lies; its names come from strangers and are hashed."""
        return self.folder / "incoming" / _hashed(series) / f"{_hashed(instance)}.dcm"

    def made(self, series: str) -> Path:
        """Return the folder of a series' segmentations until they are sent, one folder in it for each result."""
        return self.folder / "made" / _hashed(series)

    def add(self, series: str, instance: str, data: bytes) -> None:
        """Keep an instance; one that is known is kept as it is.

        A new instance of a series that is done or fails makes it wait and run again; one that is known does so only of
        a series that failed.
        """
        with self._lock:
            known = self._database.execute(
                "SELECT 1 FROM instances WHERE series=? AND uid=?", (series, instance)
            ).fetchone()
        if not known:
            write_synced(self.file(series, instance), data)
        with self._change() as database:
            added = database.execute("INSERT OR IGNORE INTO instances VALUES (?, ?)", (series, instance)).rowcount
            database.execute(
                "INSERT OR IGNORE INTO series (uid, state, changed) VALUES (?, 'received', ?)", (series, time.time())
            )
            states = ("done", "failed", "ready", "running") if added else ("failed", "failed", "failed", "failed")
            database.execute(
                "UPDATE series SET state='received', tries=0, said='', changed=? WHERE uid=? AND state IN (?, ?, ?, ?)",
                (time.time(), series, *states),
            )
            self._heard[series] = time.monotonic()

    def complete(self, silence_s: float) -> list[str]:
        """Make series ready of which nothing came for so long, and return them."""
        end = time.monotonic() - silence_s
        with self._change() as database:
            waiting = [uid for (uid,) in database.execute("SELECT uid FROM series WHERE state='received'")]
            silent = [uid for uid in waiting if self._heard.get(uid, end) <= end]
            database.executemany("UPDATE series SET state='ready' WHERE uid=?", [(uid,) for uid in silent])
        return silent

    def take(self) -> tuple[str, tuple[str, ...], int] | None:
        """Return the next ready series, its instances and how often it was tried; it is running now."""
        now = time.monotonic()
        with self._change() as database:
            ready = database.execute("SELECT uid, tries FROM series WHERE state='ready' ORDER BY changed, uid")
            for uid, tries in ready.fetchall():
                if self._not_before.get(uid, now) <= now:
                    database.execute("UPDATE series SET state='running' WHERE uid=?", (uid,))
                    rows = database.execute("SELECT uid FROM instances WHERE series=? ORDER BY uid", (uid,))
                    return uid, tuple(row[0] for row in rows), tries
        return None

    def settle(self, series: str, state: str, said: str = "", *, wait_s: float = 0) -> None:
        """Say how a running series ended: done, failed, or ready again after a wait.

        One to which an instance has come meanwhile stays received.
        """
        with self._change() as database:
            database.execute(
                "UPDATE series SET state=?, said=?, changed=?, tries=tries+1 WHERE uid=? AND state='running'",
                (state, said, time.time(), series),
            )
            self._not_before[series] = time.monotonic() + wait_s

    def forget(self, older_than_s: float) -> None:
        """Remove the files and rows of series that were done so long ago."""
        with self._change() as database:
            rows = database.execute(
                "SELECT uid FROM series WHERE state='done' AND changed<=?", (time.time() - older_than_s,)
            )
            old = [uid for (uid,) in rows]
            for uid in old:
                for folder in (self.folder / "incoming" / _hashed(uid), self.made(uid)):
                    shutil.rmtree(folder, ignore_errors=True)
                database.execute("DELETE FROM instances WHERE series=?", (uid,))
                database.execute("DELETE FROM series WHERE uid=?", (uid,))
                self._heard.pop(uid, None)
                self._not_before.pop(uid, None)


def _hashed(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:40]


def write_synced(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and come back when it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{threading.get_ident()}.part")
    try:
        with scratch.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    sync_folder(path.parent.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
