"""A standard output of bounded size."""

from __future__ import annotations

import io


def cut(text: str, keep: int) -> str:
    """`text`, or its first and last `keep // 2` characters around "..." when it is longer than `keep`."""
    half = keep // 2
    return text if len(text) <= keep else text[:half] + "..." + text[len(text) - half :]


class Capture(io.TextIOBase):
    """Collects what is printed. Of long output only the ends are kept, which is all that `cut` will show."""

    encoding = "utf-8"
    errors = "strict"

    def __init__(self, keep: int) -> None:
        super().__init__()
        self._keep = keep
        self._text = ""
        self._size = 0
        self._parts: list[str] = []

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        text.encode(self.encoding)  # raises for lone surrogates, as a real standard output does
        self._parts.append(cut(text, self._keep))
        self._size += len(self._parts[-1])
        if self._size > 16 * self._keep:
            self._parts = [cut("".join(self._parts), self._keep)]
            self._size = len(self._parts[0])
        return len(text)

    def take(self) -> str:
        """What was printed since the last call; `cut(take(), keep)` equals the cut of the whole."""
        text = "".join(self._parts)
        self._parts, self._size = [], 0
        return cut(text, self._keep)
