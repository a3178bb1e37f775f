"""A real server on the loopback interface that answers by a script, and a clock that only sleeping moves."""

from __future__ import annotations

import dataclasses
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest


@dataclasses.dataclass(frozen=True)
class Answer:
    """One answer. delay_s: before it; drip_s: between its bytes; drop: hang up instead."""

    status: int = 200
    body: Any = dataclasses.field(default_factory=dict)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    delay_s: float = 0.0
    drip_s: float = 0.0
    drop: bool = False

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclasses.dataclass(frozen=True)
class Request:
    """What the client sent; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


class ScriptedServer:
    """Plays the answers of `script` in order, then asks `otherwise` for each further request."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.otherwise: Callable[[Request], Answer] = lambda _: Answer(body={"ok": True})
        self.requests: list[Request] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            return self.script.pop(0) if self.script else self.otherwise(request)

    def _count(self, change: int) -> None:
        with self._lock:
            self._at_once += change
            self.most_at_once = max(self.most_at_once, self._at_once)

    def _handler(scripted) -> type[http.server.BaseHTTPRequestHandler]:  # `self` is the handler
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                scripted._count(+1)
                try:
                    self._play()
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client had enough
                finally:
                    scripted._count(-1)

            do_GET = do_POST

            def _play(self) -> None:
                content = self.rfile.read(int(self.headers.get("content-length", 0)))
                body = json.loads(content) if content else None
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = scripted.answer(Request(self.command, self.path, headers, body))
                time.sleep(answer.delay_s)
                if answer.drop:
                    return
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.content())))
                self.end_headers()
                for i in range(len(answer.content())):
                    self.wfile.write(answer.content()[i : i + 1])
                    if answer.drip_s:
                        self.wfile.flush()
                        time.sleep(answer.drip_s)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class FakeTime:
    """A clock that only sleeping moves, and jitter that always draws the longest pause."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def arguments(self) -> dict[str, Any]:
        return {"clock": self.clock, "sleep": self.sleep, "jitter": lambda: 1.0}


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    yield server
    server.stop()


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def answer() -> type[Answer]:
    return Answer
