"""nerone live NAME.nerone SOURCE [--host ADDRESS] [--terminal]."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from nerone.cli.console import chosen, file_argument
from nerone.errors import ConfigurationError

if TYPE_CHECKING:
    import typer
    from rich.console import Console
    from rich.table import Table

    from nerone.deployment.bundle import Bundle
    from nerone.live.access import Access
    from nerone.live.session import Session

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def live(
        bundle: str = typer.Argument(None, help="Bundle NAME.nerone."),
        source: str = typer.Argument(None, help="File or folder of scans or pictures."),
        model_option: str = typer.Option(None, "-m", "--model", help="The bundle, as an option."),
        host: str = typer.Option("127.0.0.1", "--host", help="Address; others than this machine's own ask a token."),
        port: int = typer.Option(8080, "--port", help="Port to listen on; 0 takes a free one."),
        token: str = typer.Option("", "--token", help="What a visitor must give; made at random where it is needed."),
        device: str = typer.Option("softdpu", "--device", help="softdpu or board."),
        threads: int = typer.Option(None, "-t", "--threads", help="Workers of the pipeline."),
        watch: bool = typer.Option(False, "--watch", help="Play the pictures that appear in the folder."),
        terminal: bool = typer.Option(False, "--terminal", help="A status screen in the terminal instead of a page."),
        for_seconds: float = typer.Option(None, "--seconds", help="Stop after so long; otherwise with Ctrl-C."),
    ) -> None:
        """Watch scans being segmented, in the browser or the terminal."""
        from nerone.deployment.bundle import Bundle
        from nerone.live.access import Access
        from nerone.live.view import open_session

        opened = Bundle.open(file_argument(chosen(bundle, model_option, "bundle"), "bundle"))
        if source is None:
            raise ConfigurationError("no source was given; name a file or folder of scans or pictures")
        access = Access(host, port, token)
        session = open_session(opened, source, device=device, threads=threads or os.cpu_count() or 1, watch=watch)
        try:
            if terminal:
                _show_status(session, for_seconds)
            else:
                asyncio.run(_serve(opened, session, access, for_seconds))
        finally:
            session.close()


async def _serve(bundle: Bundle, session: Session, access: Access, for_seconds: float | None) -> None:
    from nerone.live.view import view

    opened = asyncio.Event()

    def tell(url: str) -> None:
        print(f"open {url} (Ctrl-C stops)", flush=True)
        opened.set()

    serving = asyncio.create_task(view(bundle, session, access, told=tell))
    waiting = asyncio.create_task(opened.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait({serving}, timeout=for_seconds)
    waiting.cancel()
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _show_status(session: Session, for_seconds: float | None) -> None:
    from rich.live import Live

    began = time.monotonic()
    with Live(refresh_per_second=4, console=_console()) as screen:
        while for_seconds is None or time.monotonic() - began < for_seconds:
            screen.update(_status(session))
            time.sleep(0.25)


def _console() -> Console:
    from rich.console import Console

    return Console(file=sys.stdout)


def _status(session: Session) -> Table:
    from rich.table import Table

    numbers = session.statistics()
    latency = numbers["latency_ms"]
    table = Table(title=f"{session.source.name}: {numbers['backend']}, {numbers['threads']} threads", show_header=False)
    shown = session.shown
    watts, p50, p99 = numbers.get("watts"), latency["p50"], latency["p99"]
    rows = {
        "FPS": f"{numbers['fps']:.1f}",
        "latency p50, p99": "n/a" if p50 is None else f"{p50:.1f} ms, {p99:.1f} ms",
        "watts, FPS/W": "n/a" if watts is None else f"{watts:.1f}, {numbers['fps_per_watt']:.1f}",
        "frames, failed": f"{numbers['frames']}, {numbers['failed']}",
        "frame": "-" if shown is None else f"{shown.index + 1} of {session.source.count}",
        "error": session.error or "-",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
