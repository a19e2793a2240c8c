"""Bundles and servers for the tests of serving."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import bundle, classifier
from nerone.serving import InferenceServer, ServeOptions
from nerone.web.access import Access
from waiting import PATIENT_S

__all__ = ["bundle", "classifier"]


class Running:
    """A server on a thread of its own."""

    def __init__(self, paths, access=None, **options) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.server = self.call(self._start(paths, access or Access(port=0), ServeOptions(power="none", **options)))

    @staticmethod
    async def _start(paths, access, options):
        server = InferenceServer(paths, access, options)
        await server.start()
        return server

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENT_S)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def stop(self) -> None:
        self.call(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)


@pytest.fixture
def start():
    """Start servers that are stopped behind the test."""
    running = []

    def make(*paths, **options):
        running.append(Running(paths, **options))
        return running[-1]

    yield make
    for one in running:
        one.stop()


@pytest.fixture
def images() -> list[np.ndarray]:
    return [np.random.default_rng(n).integers(-900, 1200, (40, 30)).astype(np.int16) for n in range(8)]


@pytest.fixture
def path(bundle) -> Path:
    return bundle.path
