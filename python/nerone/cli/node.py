"""nerone node NAME.nerone --to AET@host:port [--spool FOLDER] [--port PORT]."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from nerone.cli.config import config_option
from nerone.cli.console import check_run_time, file_argument
from nerone.cli.process import log_on_stderr
from nerone.errors import ConfigurationError

if TYPE_CHECKING:
    import typer

__all__ = ["register"]


def register(application: typer.Typer) -> None:
    """Add the verb."""
    import typer

    @application.command()
    def node(
        bundle: str = typer.Argument(..., help="Bundle NAME.nerone that segments."),
        to: str = typer.Option(..., "--to", help="Where segmentations go: AET@host:port."),
        spool: str = typer.Option("nerone-spool", "--spool", help="Folder of what is on its way; survives a kill."),
        ae_title: str = typer.Option("NERONE", "--ae-title", help="AE title of the node."),
        host: str = typer.Option("127.0.0.1", "--host", help="Address to listen on."),
        port: int = typer.Option(11112, "--port", help="Port to listen on; 0 takes a free one."),
        allow: list[str] = typer.Option([], "--allow", help="AE title that may send; may be given again."),  # noqa: B008
        silence: float = typer.Option(30.0, "--silence", help="Seconds without an instance that complete a series."),
        tries: int = typer.Option(8, "--tries", help="How often a segmentation is sent."),
        retry: float = typer.Option(5.0, "--retry", help="Seconds before the second try; doubles with each."),
        keep: float = typer.Option(24.0, "--keep", help="Hours for which a series that is done is kept."),
        device: str = typer.Option("softdpu", "--device", help="softdpu or board."),
        threads: int = typer.Option(None, "-t", "--threads", help="Workers of the pipeline."),
        connections: int = typer.Option(64, "--connections", help="Open at once; one more is closed."),
        per_address: int = typer.Option(
            16, "--connections-per-address", help="Open at once of one address, which may be a gateway's."
        ),
        config: str = config_option(),
        for_seconds: float = typer.Option(None, "--seconds", help="Stop after so long; otherwise with Ctrl-C."),
    ) -> None:
        """Take DICOM series by C-STORE and send their segmentations. Not a medical device."""
        from nerone.bundle.bundle import Bundle
        from nerone.node import Node, NodeOptions, Peer

        path = file_argument(bundle, "bundle")
        if path.is_file():
            raise ConfigurationError(f"'{path}' is a file; give a bundle NAME.nerone")
        options = NodeOptions(
            title=ae_title,
            host=host,
            port=port,
            allow=tuple(allow),
            silence_s=silence,
            tries=tries,
            retry_s=retry,
            keep_s=keep * 3600,
            device=device,
            threads=threads,
            connections=connections,
            connections_per_address=per_address,
        )
        check_run_time(for_seconds)
        peer = Peer.of(to)
        lines = _Lines("%(asctime)s %(levelname)s %(message)s")
        with (
            log_on_stderr("nerone.node", lines, logging.INFO),
            contextlib.suppress(KeyboardInterrupt),
            Node(Bundle.open(path), peer, spool, options) as running,
        ):
            running.wait(for_seconds)


class _Lines(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        # A name with a line's end in it does not make a line of its own.
        return " ".join(super().formatMessage(record).split())
