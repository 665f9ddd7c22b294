"""A Redis server of the tests' own, where the program is installed; and servers that misbehave."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import SHUT_RDWR, socket
from tempfile import TemporaryDirectory

import pytest
import redis


@contextmanager
def redis_server() -> Iterator[str]:
    """The URL of a new server that listens on a socket file and writes nothing to the disk. Skips where there is no program."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (Debian: apt install redis-server)")
    with TemporaryDirectory() as folder:
        place = Path(folder) / "redis.sock"
        command = [program, "--port", "0", "--unixsocket", str(place), "--save", "", "--appendonly", "no", "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                _wait_for(place)
                yield f"unix://{place}"
            finally:
                process.terminate()


def _wait_for(place: Path) -> None:
    client = redis.Redis(unix_socket_path=str(place))
    for _ in range(100):
        try:
            client.ping()
        except redis.ConnectionError:
            time.sleep(0.05)
        else:
            client.close()
            return
    pytest.fail("redis-server does not answer")


@contextmanager
def misbehaving_server(reply: bytes | None) -> Iterator[str]:
    """The URL of a server that says `reply` to everything, or never a word."""
    peers: list[socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                peers.append(peer)
                threading.Thread(target=talk, args=(peer,), daemon=True).start()

    def talk(peer: socket) -> None:
        with suppress(OSError):
            while peer.recv(65536):
                if reply is not None:
                    peer.sendall(reply)

    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(SHUT_RDWR)
    thread.join(timeout=5)
    for peer in peers:
        peer.close()
