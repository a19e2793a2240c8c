"""nerone live NAME.nerone SOURCE [--host ADDRESS] [--terminal]."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from nerone.cli.console import check_run_time, chosen, file_argument
from nerone.cli.terminal import console
from nerone.errors import ConfigurationError, printable_line

if TYPE_CHECKING:
    import typer
    from rich.table import Table

    from nerone.bundle.bundle import Bundle
    from nerone.live.fp32 import FloatModel
    from nerone.live.results import Shown
    from nerone.live.session import Session
    from nerone.web.access import Access

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    from nerone.dpu.boards import SIMULATED

    @application.command()
    def live(
        bundle: str = typer.Argument(None, help="Bundle NAME.nerone."),
        source: str = typer.Argument(
            None, help="File or folder of scans or pictures, a video, camera, camera:1, or phantoms."
        ),
        model_option: str = typer.Option(None, "-m", "--model", help="The bundle, as an option."),
        host: str = typer.Option("127.0.0.1", "--host", help="Address; others than this machine's own ask a token."),
        port: int = typer.Option(8080, "--port", help="Port to listen on; 0 takes a free one."),
        token: str = typer.Option("", "--token", help="What a visitor must give; made at random where it is needed."),
        device: str = typer.Option(
            "softdpu", "--device", help=f"softdpu, board, or simulated: {', '.join(SIMULATED)}."
        ),
        threads: int = typer.Option(None, "-t", "--threads", help="Workers of the pipeline."),
        watch: bool = typer.Option(False, "--watch", help="Play the pictures that appear in the folder."),
        float_path: str = typer.Option(
            None, "--float", help="The trained .keras, .h5, .onnx or .pt2 file, to see FP32 beside INT8."
        ),
        power: str = typer.Option("auto", "--power", help="auto, none, hwmon, nvml, rapl, pynq, csv:FILE, constant:W."),
        terminal: bool = typer.Option(False, "--terminal", help="A status screen in the terminal instead of a page."),
        for_seconds: float = typer.Option(None, "--seconds", help="Stop after so long; otherwise with Ctrl-C."),
    ) -> None:
        """Watch scans being segmented, in the browser or the terminal."""
        from nerone._core import usable_cores
        from nerone.bundle.bundle import Bundle
        from nerone.live.fp32 import FloatModel
        from nerone.live.view import open_session
        from nerone.web.access import Access

        opened = Bundle.open(file_argument(chosen(bundle, model_option, "bundle"), "bundle"))
        check_run_time(for_seconds)
        if source is None:
            raise ConfigurationError("no source was given; name a file or folder of scans or pictures")
        access = Access(host, port, token)
        count = usable_cores() if threads is None else threads
        with contextlib.ExitStack() as stack:
            float_model = FloatModel(opened, float_path) if float_path and not terminal else None
            if float_model is not None:
                stack.callback(float_model.close)
            session = open_session(
                opened, source, device=device, threads=count, watch=watch, power=power, told=_tell_note
            )
            stack.callback(session.close)
            if terminal:
                _show_status(session, opened, for_seconds)
            else:
                asyncio.run(_serve(opened, session, access, device, float_model, for_seconds))


def _tell_note(text: str) -> None:
    print(f"note: {text}", flush=True)


async def _serve(
    bundle: Bundle,
    session: Session,
    access: Access,
    device: str,
    float_model: FloatModel | None,
    for_seconds: float | None,
) -> None:
    from nerone.live.view import view

    opened = asyncio.Event()

    def tell(url: str) -> None:
        print(f"open {url} (Ctrl-C stops)", flush=True)
        opened.set()

    serving = asyncio.create_task(view(bundle, session, access, told=tell, device=device, float_model=float_model))
    waiting = asyncio.create_task(opened.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait({serving}, timeout=for_seconds)
    waiting.cancel()
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _show_status(session: Session, bundle: Bundle, for_seconds: float | None) -> None:
    from rich.live import Live

    began = time.monotonic()
    with Live(refresh_per_second=4, console=console()) as screen:
        while for_seconds is None or time.monotonic() - began < for_seconds:
            screen.update(_status(session, bundle))
            time.sleep(0.25)


def _status(session: Session, bundle: Bundle) -> Table:
    from rich.table import Table

    numbers = session.statistics()
    latency = numbers["latency_ms"]
    title = printable_line(f"{session.source.name}: {numbers['backend']}, {numbers['threads']} threads")
    table = Table(title=title, show_header=False)
    shown = session.shown
    watts, p50, p99 = numbers["watts"], latency["p50"], latency["p99"]
    use = numbers["utilisation"]
    rows = {
        "FPS": f"{numbers['fps']:.1f}",
        "latency p50, p99": "n/a" if p50 is None else f"{p50:.1f} ms, {p99:.1f} ms",
        "watts, FPS/W": "n/a" if watts is None else f"{watts:.1f}, {numbers['fps_per_watt']:.1f}",
        "device, queue": f"{'n/a' if use is None else f'{100 * use:.0f} %'}, {numbers['queue']}",
        "frames, failed": f"{numbers['frames']}, {numbers['failed']}",
        "frame": "-" if shown is None else f"{shown.index + 1} of {session.source.count}",
        "classes": "-" if shown is None else _classes(shown, bundle),
        "error": session.error or "-",
    }
    for name, value in rows.items():
        table.add_row(name, printable_line(value))
    return table


def _classes(shown: Shown, bundle: Bundle) -> str:
    """Return the three most probable classes, or the shares of the mask that are not background."""
    import numpy as np

    names = bundle.output.class_names
    mask, probabilities = shown.result.mask, shown.result.probabilities
    values = np.zeros(len(names)) if probabilities is None else probabilities.astype(np.float64)
    if mask is not None:
        values = np.bincount(mask.ravel(), minlength=len(names))[: len(names)] / mask.size
        values[0] = 0.0
    best = [number for number in np.argsort(-values)[:3] if values[number] > 0]
    return ", ".join(f"{names[number]} {100 * values[number]:.1f} %" for number in best) or names[0]
