"""Forks need the supervisor's word: the kernel holds each `clone` until it is admitted or refused.

seccomp user notification (Linux 5.5). One process at a time is told to fork, so the process that appears is
the one that was asked for, whoever lies about its number.
"""

from __future__ import annotations

import errno
import fcntl
import select
import struct
import time

_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # ioctl numbers of struct seccomp_notif and seccomp_notif_resp
_REQUEST_SIZE = 80
_REQUEST_HEAD = struct.Struct("=QII")  # id, pid, flags
_RESPONSE = struct.Struct("=QqiI")  # id, value, error, flags
_CONTINUE = 1


class ForkGuard:
    """Answers the forks that processes of a cell try. `refused` counts those that nobody asked for."""

    def __init__(self, listener: int) -> None:
        self.listener = listener
        self.refused = 0

    def admit(self, pid: int, busy: int, deadline: float) -> bool:
        """Let process `pid` fork once; False when it does not try before `deadline` (by time.monotonic).

        Also False as soon as the descriptor `busy` can be read: it has answered, or died, instead.
        """
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        poll.register(busy, select.POLLIN)
        while (remaining := deadline - time.monotonic()) > 0:
            ready = {fd for fd, _ in poll.poll(remaining * 1e3)}
            if self.listener in ready and self._answer(pid):
                return True
            if ready == {busy}:
                return False
        return False

    def refuse(self) -> None:
        """Refuse the fork that waits. Call when the listener can be read."""
        self._answer(None)

    def _answer(self, admitted: int | None) -> bool:
        """Answer one request; whether it came from the admitted process."""
        buffer = bytearray(_REQUEST_SIZE)
        try:
            fcntl.ioctl(self.listener, _RECEIVE, buffer)
            identity, pid, _ = _REQUEST_HEAD.unpack_from(buffer)
            fits = pid == admitted
            answer = _RESPONSE.pack(identity, 0, 0 if fits else -errno.EPERM, _CONTINUE if fits else 0)
            fcntl.ioctl(self.listener, _SEND, answer)
        except OSError as error:
            if error.errno != errno.ENOENT:  # ENOENT: it was killed meanwhile
                raise
            return False
        self.refused += not fits
        return fits
