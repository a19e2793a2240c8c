"""The result of one frame, now or later."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from typing import Any, Protocol

from nerone.backends.options import milliseconds

__all__ = ["Future", "Ticket", "failed"]


class Ticket(Protocol):
    """The source of a future's result."""

    def ready(self) -> bool:
        """Whether waiting would not block."""

    def wait(self, timeout_ms: int = -1) -> Any:
        """Give the result, once."""


class Future:
    """The result of one frame. Any thread may ask for it, any number of times; ``await`` works as well.

    Dropping it gives the result up.
    """

    def __init__(self, ticket: Ticket, finish: Callable[[Any], Any]) -> None:
        self._ticket: Ticket | None = ticket
        self._finish = finish
        self._lock = threading.Lock()
        self._value: Any = None
        self._error: BaseException | None = None

    def done(self) -> bool:
        """Whether the result or the error is there."""
        ticket = self._ticket
        return ticket is None or ticket.ready()

    def then(self, change: Callable[[Any], Any]) -> Future:
        """Have the result changed when it is collected; only before anybody has asked for it."""
        finish = self._finish
        self._finish = lambda value: change(finish(value))
        return self

    def result(self, timeout_ms: int | None = None) -> Any:
        """Wait for the result.

        Parameters
        ----------
        timeout_ms : int, how long to wait; None for ever

        Raises
        ------
        TimeoutError
            where the frame is not done in time; ask again.
        Error
            the frame's own.
        """
        with self._lock:
            if self._ticket is not None:
                self._collect(milliseconds(timeout_ms))
        if self._error is not None:
            raise self._error
        return self._value

    def exception(self, timeout_ms: int | None = None) -> BaseException | None:
        """Wait, and return the frame's error, or None where it has a result."""
        try:
            self.result(timeout_ms)
        except Exception as error:
            if self._ticket is not None:
                raise
            return error
        return None

    def _collect(self, timeout_ms: int) -> None:
        assert self._ticket is not None
        try:
            value = self._finish(self._ticket.wait(timeout_ms))
        except KeyboardInterrupt:
            raise
        except TimeoutError:
            raise
        except Exception as error:
            self._error = error
        else:
            self._value = value
        self._ticket = None

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.get_running_loop().run_in_executor(None, self.result).__await__()


class _Failed:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def ready(self) -> bool:
        return True

    def wait(self, timeout_ms: int = -1) -> Any:
        raise self._error


def failed(error: Exception) -> Future:
    """Return the future of a frame that failed before it was queued."""
    return Future(_Failed(error), lambda value: value)
