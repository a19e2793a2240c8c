"""nerone serve NAME.nerone ... [--host ADDRESS] [--port PORT]."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
from typing import TYPE_CHECKING

from nerone.cli.config import config_option
from nerone.cli.console import check_run_time, file_argument
from nerone.cli.process import log_on_stderr

if TYPE_CHECKING:
    from pathlib import Path

    import typer

    from nerone.serving import ServeOptions
    from nerone.web.access import Access

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def serve(
        bundles: list[str] = typer.Argument(..., help="Bundles NAME.nerone; a model is called as its folder."),  # noqa: B008
        host: str = typer.Option("127.0.0.1", "--host", help="Address; others than this machine's own ask a token."),
        port: int = typer.Option(8000, "--port", help="Port to listen on; 0 takes a free one."),
        token: str = typer.Option("", "--token", help="What a client must bring; made at random where it is needed."),
        device: str = typer.Option("softdpu", "--device", help="softdpu, board, or simulated, such as zcu104-sim."),
        threads: int = typer.Option(None, "-t", "--threads", help="Workers of each pipeline."),
        result: str = typer.Option("classes", "--result", help="classes or probabilities."),
        queue: int = typer.Option(128, "--queue", help="Requests at once; more are answered 503."),
        max_bytes: int = typer.Option(64 << 20, "--max-bytes", help="Size of a request."),
        max_scan_bytes: int = typer.Option(1 << 30, "--max-scan-bytes", help="Size of a scan that is sent as it is."),
        scans: int = typer.Option(2, "--scans", help="Scans at once; more are answered 503."),
        certificate: str = typer.Option("", "--certificate", help="TLS certificate, a PEM file."),
        key: str = typer.Option("", "--key", help="The certificate's key, a PEM file."),
        power: str = typer.Option("auto", "--power", help="auto, none, hwmon, nvml, rapl, pynq, csv:FILE, constant:W."),
        grace: float = typer.Option(30.0, "--grace", help="Seconds in which requests are answered when it is stopped."),
        log_json: bool = typer.Option(False, "--log-json", help="Log a JSON object a line."),
        config: str = config_option(),
        for_seconds: float = typer.Option(None, "--seconds", help="Stop after so long; otherwise with Ctrl-C."),
    ) -> None:
        """Serve bundles by the Open Inference Protocol v2, for tritonclient and others. Not a medical device."""
        from nerone.serving import ServeOptions
        from nerone.web.access import Access

        paths = [file_argument(path, "bundle") for path in bundles]
        options = ServeOptions(
            device=device,
            threads=threads,
            result=result,  # type: ignore[arg-type]
            queue=queue,
            max_bytes=max_bytes,
            max_scan_bytes=max_scan_bytes,
            scans=scans,
            certificate=certificate,
            key=key,
            power=power,
            grace_s=grace,
        )
        check_run_time(for_seconds)
        lines, level = (_JsonLines(), logging.INFO) if log_json else (_Lines(), logging.WARNING)
        with log_on_stderr("nerone.serving", lines, level):
            asyncio.run(_serve(paths, Access(host, port, token), options, for_seconds))


async def _serve(paths: list[Path], access: Access, options: ServeOptions, for_seconds: float | None) -> None:
    from nerone.serving import InferenceServer
    from nerone.serving.server import serve

    loop, until = asyncio.get_running_loop(), asyncio.Event()
    server = InferenceServer(paths, access, options)
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(server.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(RuntimeError, ValueError):  # outside the main thread there are none
            loop.add_signal_handler(number, until.set)
    with contextlib.suppress(RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGHUP, reload)
    if for_seconds is not None:
        loop.call_later(for_seconds, until.set)

    def told() -> None:
        brought = f", token {access.token}" if access.token else ""
        print(
            f"serving {', '.join(server.models)} at {server.url}{brought} (Ctrl-C stops; not a medical device)",
            flush=True,
        )

    await serve(server, told, until)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"nerone: {' '.join(record.getMessage().split())}"


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told = {"time": round(record.created, 3), "level": record.levelname, "message": record.getMessage()}
        told |= {name: getattr(record, name) for name in ("model", "status", "seconds") if hasattr(record, name)}
        return json.dumps(told)
