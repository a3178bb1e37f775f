"""What the attacks are after: secrets, files that they could change, sockets that they could reach."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import string
import subprocess
import tempfile
from pathlib import Path

TOKEN_VARIABLE = "RSTAR_TEST_TOKEN"  # the secret that attacks look for in the environment
REPOSITORY = Path(__file__).resolve().parents[3]
PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/", os.path.dirname(os.__file__))


class Surroundings:
    """Everything open to all users, so that file permissions alone stop no attack."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.folder = Path(tempfile.mkdtemp(prefix="siege-"))
        self.folder.chmod(0o755)
        self._secrets = self.folder / "secrets"
        self._secrets.mkdir()
        (self._secrets / "secret").write_text(token)
        (self._secrets / "secret_module.py").write_text(f"value = {token!r}\n")
        self._home_secret = _write_in_home(token)
        self._listeners = _listeners(self.folder / "socket")
        self._abstract = self._listeners["abstract"].getsockname().decode().lstrip("\0")

    def close(self) -> None:
        """Remove it all."""
        for listener in self._listeners.values():
            listener.close()
        shutil.rmtree(self.folder)
        if self._home_secret is not None:
            self._home_secret.unlink(missing_ok=True)

    def arm(self, code: str, number: int) -> str:
        """An attack's code with its own watched folder and marker put in."""
        watched = self.watched(number)
        (watched / "empty").mkdir(parents=True)
        (watched / "kept").write_text("kept")
        for path in (watched, watched / "empty", watched / "kept"):
            path.chmod(0o777)
        return string.Template(code).safe_substitute(
            WATCH=watched,
            MARKER=self.marker(number),
            PARENT=os.getpid(),
            PORT=self._listeners["tcp"].getsockname()[1],
            SOCKET=self.folder / "socket",
            ABSTRACT=self._abstract,
            SECRET_FILE=self._secrets / "secret",
            SECRET_FOLDER=self._secrets,
            HOME_SECRET=self._home_secret or self._secrets / "secret",
            HOME=Path.home(),
            REPOSITORY=REPOSITORY,
        )

    def watched(self, number: int) -> Path:
        """The folder that only attack `number` knows."""
        return self.folder / f"watched-{number}"

    def marker(self, number: int) -> str:
        """A word that is found where attack `number` has been."""
        return f"sg{self.token[-4:]}-{number}"

    def heard(self) -> list[str]:
        """The sockets that somebody has talked to since the last call."""
        names = []
        for name, listener in self._listeners.items():
            with contextlib.suppress(BlockingIOError):
                if listener.type == socket.SOCK_STREAM:
                    listener.accept()[0].close()
                else:
                    listener.recv(100)
                names.append(name)
        return names

    def changes(self, number: int) -> list[str]:
        """What attack `number` has changed, in its folder or by leaving its marker somewhere."""
        watched = self.watched(number)
        strays = [path for place in PLACES for path in Path(place).glob(f"{self.marker(number)}*")]
        for path in strays:
            subprocess.run(["rm", "-rf", path], check=False)
        found = list(map(str, strays))
        if sorted(path.name for path in watched.glob("*")) != ["empty", "kept"] or any((watched / "empty").iterdir()):
            return [*found, "files came or went"]
        kept = (watched / "kept").stat()
        if (watched / "kept").read_text() != "kept" or kept.st_mode & 0o777 != 0o777 or kept.st_mtime < 10:
            found.append("the file has changed")
        return found


def _write_in_home(token: str) -> Path | None:
    path = Path.home() / f".rstar_jax_test_{secrets.token_hex(4)}"
    try:
        path.write_text(token)
    except OSError:  # not every user has a home
        return None
    return path


def _listeners(path: Path) -> dict[str, socket.socket]:
    tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
    unix, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    name = f"\0siege-{secrets.token_hex(4)}"
    tcp.bind(("127.0.0.1", 0))
    udp.bind(tcp.getsockname())
    unix.bind(str(path))
    path.chmod(0o777)
    abstract.bind(name)
    datagram.bind(f"{name}-datagram")
    for listener in (tcp, unix, abstract):
        listener.listen(100)
    found = {"tcp": tcp, "udp": udp, "unix": unix, "abstract": abstract, "datagram": datagram}
    for listener in found.values():
        listener.setblocking(False)
    return found
