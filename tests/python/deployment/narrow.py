"""A way to a server that lets so many bytes pass, and the rest when a file is there: what ssh takes as ProxyCommand.

Arguments: host, port, bytes, file. A transfer that is larger cannot end before a test made the file.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from pathlib import Path


def back(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := connection.recv(1 << 16):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    os._exit(0)


def main() -> None:
    host, port, limit, gate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    connection = socket.create_connection((host, port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=back, args=(connection,), daemon=True).start()
    passed = 0
    while data := os.read(0, 1 << 16):
        while passed + len(data) > limit and not gate.exists():
            time.sleep(0.01)
        connection.sendall(data)
        passed += len(data)


if __name__ == "__main__":
    main()
