"""Metrics served at /metrics, through prometheus-client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nerone.evaluation.power_watch import PowerWatch
from nerone.serving.served import Served

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Metrics:
    """Counts requests, and reads the pipelines when it is asked.

    Parameters
    ----------
    models : Served by name
    meter : PowerWatch
    in_flight : gives the requests that are being answered
    """

    def __init__(self, models: Mapping[str, Served], meter: PowerWatch, in_flight: Callable[[], int]) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self._models, self._meter, self._in_flight = models, meter, in_flight
        self._registry = CollectorRegistry()
        self.frames = Counter("nerone_frames", "Frames answered", ["model"], registry=self._registry)
        self.requests = Counter("nerone_requests", "Requests answered", ["model", "status"], registry=self._registry)
        self.seconds = Histogram(
            "nerone_request_seconds",
            "Seconds from a request's headers to its answer",
            ["model"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(self)

    def collect(self) -> Iterable[Any]:
        """Give what is read rather than counted, as prometheus-client asks for it."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        queue = GaugeMetricFamily("nerone_queue", "Requests that are waiting or being answered")
        queue.add_metric([], self._in_flight())
        yield queue
        workers = GaugeMetricFamily("nerone_workers", "Worker threads of the pipeline", labels=["model"])
        busy = CounterMetricFamily(
            "nerone_device_busy_seconds", "Seconds of the device, since the bundle was opened", labels=["model"]
        )
        for name, served in self._models.items():
            stats = served.pipeline.stats()
            workers.add_metric([name], served.pipeline.threads)
            busy.add_metric([name], stats.device.mean_ms * stats.completed / 1e3)
        yield workers
        yield busy
        if self._meter.watts is not None:
            watts = GaugeMetricFamily("nerone_power_watts", f"Power: {self._meter.name}")
            watts.add_metric([], self._meter.watts)
            yield watts

    def text(self) -> bytes:
        """Return the page."""
        from prometheus_client import generate_latest

        return bytes(generate_latest(self._registry))
