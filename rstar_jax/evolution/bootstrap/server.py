"""JSON over HTTP with a server that may be busy, restarting or slow: retries, limits, a secret key."""

from __future__ import annotations

import asyncio
import dataclasses
import email.utils
import itertools
import logging
import os
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx

from rstar_jax.errors import InputError, Unavailable

log = logging.getLogger(__name__)
T = TypeVar("T")

_RETRIED = frozenset({408, 425, 429})  # and everything from 500 on
_EXCERPT = 300  # characters of a server's words in a message


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much at once, and how long to go on trying. Times are in seconds.

    request_s: one attempt, from sending to the last byte.
    total_s: one request with its retries and pauses; waiting for a free slot does not count.
    first_pause_s, longest_pause_s: the pause before retry k = 0, 1, … is drawn from [d/2, d] with
        d = min(first_pause_s * 2**k, longest_pause_s), and is never shorter than the server's Retry-After.
    """

    concurrent: int = 64
    request_s: float = 600.0
    total_s: float = 1800.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0


class Key:
    """An API key that shows itself to nobody but the server."""

    def __init__(self, value: str = "") -> None:
        self.__value = value

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.__value}"} if self.__value else {}

    def scrub(self, text: str) -> str:
        """`text` without the key, which servers may quote."""
        return text.replace(self.__value, "***") if self.__value else text

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __repr__(self) -> str:
        return "Key(***)"

    def __reduce__(self) -> str:
        raise TypeError("an API key is not written anywhere")


def read_key(variable: str, environ: Mapping[str, str] = os.environ) -> Key:
    """The key in an environment variable; no variable, no key. Raises InputError if it holds none."""
    if not variable:
        return Key()
    value = environ.get(variable, "").strip()
    if not value:
        raise InputError(f"the environment variable {variable} should hold the API key, but is not set")
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise InputError(f"what the environment variable {variable} holds is no API key")
    return Key(value)


class Refused(InputError):
    """The server's final no; `words` are its own, without the key."""

    def __init__(self, address: str, status: int, words: str) -> None:
        super().__init__(f"the server at {address} refuses the request (status {status}): {words}")
        self.status = status
        self.words = words


class Unusable(ValueError):
    """What a `read` function raises for JSON that is not the answer it should be."""


class _Transient(Exception):
    """A failure that may pass; `pause_s` is what the server asks for."""

    def __init__(self, sentence: str, pause_s: float = 0.0) -> None:
        super().__init__(sentence)
        self.pause_s = pause_s


class Server:
    """One server, for one event loop. Safe to call from any number of its coroutines."""

    def __init__(
        self,
        address: str,
        key: Key,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.address = address.rstrip("/")
        self._key = key
        self._limits = limits
        self._clock, self._sleep, self._jitter = clock, sleep, jitter
        self._slots = asyncio.Semaphore(limits.concurrent)
        pool = httpx.Limits(max_connections=None, max_keepalive_connections=limits.concurrent)
        self._client = httpx.AsyncClient(headers=key.headers(), timeout=None, limits=pool)

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: str, read: Callable[[Any], T], *, patient: bool = True) -> T:
        """GET `address/path`; see `post`."""
        return await self._request("GET", path, None, read, patient)

    async def post(self, path: str, body: Any, read: Callable[[Any], T], *, patient: bool = True) -> T:
        """POST `body` to `address/path` and hand the JSON answer to `read`.

        A server that is busy (408, 425, 429), fails (5xx), cannot be reached, is too slow, or answers with no
        JSON or with what `read` finds Unusable, is asked again until the time limit, unless `patient` is off.
        Raises Refused for any other status, Unavailable when patience ends.
        """
        return await self._request("POST", path, body, read, patient)

    async def _request(
        self, method: str, path: str, body: Any, read: Callable[[Any], T], patient: bool
    ) -> T:
        spent = 0.0
        for attempt in itertools.count():
            async with self._slots:
                began = self._clock()
                try:
                    return await self._attempt(method, path, body, read)
                except _Transient as error:
                    failure = error
            pause = max(self._pause(attempt), failure.pause_s)
            spent += self._clock() - began + pause
            if not patient or spent > self._limits.total_s:
                tries = "" if attempt == 0 else f" (tried {attempt + 1} times)"
                raise Unavailable(f"{failure}{tries}")
            log.info("%s; trying again in %.1f s", failure, pause)
            await self._sleep(pause)
        raise AssertionError("itertools.count ends")

    async def _attempt(self, method: str, path: str, body: Any, read: Callable[[Any], T]) -> T:
        here = f"the server at {self.address}"
        try:
            async with asyncio.timeout(self._limits.request_s):
                response = await self._client.request(method, f"{self.address}/{path}", json=body)
        except TimeoutError:
            raise _Transient(f"{here} did not answer within {self._limits.request_s:g} s") from None
        except httpx.ConnectError:
            raise _Transient(f"{here} cannot be reached; is it running, and is the address right?") from None
        except httpx.RequestError as error:
            raise _Transient(f"{here} broke off the conversation ({type(error).__name__})") from None
        status = response.status_code
        if status in _RETRIED or status >= 500:
            sentence = f"{here} is busy or failing (status {status}): {self._words(response)}"
            raise _Transient(sentence, _retry_after_s(response))
        if not response.is_success:
            raise Refused(self.address, status, self._words(response))
        try:
            return read(response.json())
        except (ValueError, RecursionError):
            raise _Transient(f"{here} does not answer as an API should: {self._words(response)}") from None

    def _pause(self, attempt: int) -> float:
        longest = min(self._limits.first_pause_s * 2.0 ** min(attempt, 60), self._limits.longest_pause_s)
        return longest * (1 + self._jitter()) / 2

    def _words(self, response: httpx.Response) -> str:
        """The start of what the server says, on one line, without the key."""
        text = " ".join(self._key.scrub(response.text).split()) or "nothing"
        text = "".join(letter if letter.isprintable() else "?" for letter in text[: _EXCERPT + 1])
        return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"


def _retry_after_s(response: httpx.Response) -> float:
    """Seconds that a Retry-After header asks for (0 if none): a number, or a date by the server's clock."""
    value = response.headers.get("retry-after", "")
    if value.isdecimal():
        return float(value)
    then, now = (email.utils.parsedate_tz(text) for text in (value, response.headers.get("date", "")))
    if then is None or now is None:
        return 0.0
    return max(0.0, float(email.utils.mktime_tz(then) - email.utils.mktime_tz(now)))
