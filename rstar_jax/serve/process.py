"""The life of the server: it binds, answers, and on SIGTERM or Ctrl-C ends after everybody has an answer."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from rstar_jax.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, InputError
from rstar_jax.thinking.view import Say

EXIT_CODES = {signal.SIGTERM: EXIT_TERMINATED, signal.SIGINT: EXIT_INTERRUPTED}
SECONDS_TO_SEND = 10.0  # for answers to be sent, after all searches have ended
IDLE_SECONDS = 65  # that an unused connection stays open


def bind(host: str, port: int) -> socket.socket:
    """A socket that nobody can connect to yet; port 0 takes a free one.

    Raises InputError: there is no such address, or no right to it. OSError: the port is in use.
    """
    if not 0 <= port < 1 << 16:
        raise InputError(f"--port {port}: ports are from 0 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise InputError(f"--host {host}: {error.strerror or error}") from None
    found = socket.socket(family, kind, protocol)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(address)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise
        raise InputError(f"{host}, port {port}: {error.strerror}") from None
    return found


def address_of(sock: socket.socket) -> str:
    """As a client needs it."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(app: ASGIApp, sock: socket.socket, closing: asyncio.Event, grace: float, say: Say) -> int:
    """Answer until a signal comes; then the exit code for it.

    From then on nobody is let in; `closing` is set after `grace` seconds, or with the second signal.
    """
    server = _Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=int(grace + SECONDS_TO_SEND),
        )
    )
    received: list[signal.Signals] = []
    loop = asyncio.get_running_loop()

    def end(number: signal.Signals) -> None:
        server.should_exit = True
        if received:
            closing.set()
            return
        received.append(number)
        say(f"{number.name}: no new requests; searches under way have {grace:g} s more")
        loop.call_later(grace, closing.set)

    for number in EXIT_CODES:
        loop.add_signal_handler(number, end, number)
    try:
        sock.listen()
        say(f"serving {address_of(sock)}/v1")
        await server.serve(sockets=[sock])
    finally:
        for number in EXIT_CODES:
            loop.remove_signal_handler(number)
    return EXIT_CODES[received[0]] if received else 1


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are `serve`'s affair: the models have to be closed afterwards."""
        yield
