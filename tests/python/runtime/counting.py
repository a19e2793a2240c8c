"""Whether other Python threads run while a function of the extension does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


def counted_during(call: Callable[[], Any], *, enough: int = 100, attempts: int = 20) -> int:
    """Return how far another thread counts during a call that takes a while.

    With the interpreter's lock held through the call, that is two at most: before it is taken, and after it is given
    back. On a busy machine the other thread may not have had its turn; then the call is made again.
    """
    count, stop, began = 0, threading.Event(), threading.Event()

    def work() -> None:
        nonlocal count
        while not stop.is_set():
            count += 1
            began.set()
            time.sleep(0)  # gives the lock back each time

    thread = threading.Thread(target=work)
    thread.start()
    most = 0
    try:
        for _ in range(attempts):
            began.clear()
            assert began.wait(60)
            before = count
            call()
            most = max(most, count - before)
            if most > enough:
                break
    finally:
        stop.set()
        thread.join()
    return most
