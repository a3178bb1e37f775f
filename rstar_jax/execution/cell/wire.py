"""Messages between processes: four bytes of length, then JSON. Never pickle: a reader survives any sender."""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

HEADER = struct.Struct("!I")
MAX_MESSAGE = 4 << 20  # bytes; the longest program or output, escaped, is well below
NO_FORK = 0xFFFFFFFF  # in place of a pid


class BadMessage(ValueError):
    """What arrived is not a JSON object of allowed size."""


def encode(message: dict[str, Any]) -> bytes:
    """The bytes of one message. Lone surrogates survive: JSON escapes them."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    return HEADER.pack(len(body)) + body


def body_length(header: bytes) -> int:
    """Length in bytes of the body that follows. Raises BadMessage when it is too long."""
    (length,) = HEADER.unpack(header)
    if length > MAX_MESSAGE:
        raise BadMessage(f"{length} bytes announced")
    return length


def decode(body: bytes) -> dict[str, Any]:
    """The message of a body. Raises BadMessage."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadMessage(str(error)) from error
    if not isinstance(message, dict):
        raise BadMessage(f"a {type(message).__name__}, not an object")
    return message


def send(sock: socket.socket, message: dict[str, Any]) -> None:
    """Send one message within the socket's own time-out."""
    sock.sendall(encode(message))


def receive(sock: socket.socket, deadline: float | None = None) -> dict[str, Any] | None:
    """The next message; None at the end of the stream.

    Raises BadMessage, and TimeoutError at `deadline` (by time.monotonic).
    """
    _arm(sock, deadline)
    first = sock.recv(HEADER.size)
    if not first:
        return None
    header = first + _exactly(sock, HEADER.size - len(first), deadline)
    return decode(_exactly(sock, body_length(header), deadline))


def send_command(sock: socket.socket, command: bytes, fd: int | None = None) -> None:
    """One byte, and an open file if there is one to hand over."""
    socket.send_fds(sock, [command], [] if fd is None else [fd])


def receive_command(sock: socket.socket) -> tuple[bytes, int | None]:
    """What `send_command` has sent; b"" at the end of the stream."""
    command, fds, _, _ = socket.recv_fds(sock, 1, 1)
    return command, fds[0] if fds else None


def send_pid(sock: socket.socket, pid: int) -> None:
    sock.sendall(HEADER.pack(pid))


def receive_pid(sock: socket.socket, deadline: float) -> int:
    """Raises BadMessage, and TimeoutError at `deadline`."""
    return HEADER.unpack(_exactly(sock, HEADER.size, deadline))[0]


class Inbox:
    """Puts messages together from what a socket gives without waiting."""

    def __init__(self) -> None:
        self._data = bytearray()

    def read(self, sock: socket.socket) -> dict[str, Any] | None:
        """The next message, or None while it is not all there. Call when the socket can be read.

        Raises BadMessage, also at the end of the stream, and ConnectionError.
        """
        part = sock.recv(1 << 16, socket.MSG_DONTWAIT)
        if not part:
            raise BadMessage("the stream ended")
        self._data += part
        if len(self._data) < HEADER.size:
            return None
        end = HEADER.size + body_length(bytes(self._data[: HEADER.size]))
        if len(self._data) < end:
            return None
        body = bytes(self._data[HEADER.size : end])
        del self._data[:end]
        return decode(body)


def _exactly(sock: socket.socket, count: int, deadline: float | None) -> bytes:
    parts = []
    while count:
        _arm(sock, deadline)
        part = sock.recv(min(count, 1 << 16))
        if not part:
            raise BadMessage("the stream ended inside a message")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _arm(sock: socket.socket, deadline: float | None) -> None:
    if deadline is None:
        if sock.gettimeout() is not None:  # a node may not even ask the kernel for it
            sock.settimeout(None)
        return
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    sock.settimeout(remaining)
