"""Stop texts that are no single tokens: where a completion's text first contains one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]


class StopTexts:
    """decode: the text of tokens, as `Tokenizer.decode`. A text may begin and end in the middle of tokens."""

    def __init__(self, decode: Decode):
        self._decode = decode

    def end(self, tokens: Sequence[int], new: int, stops: Sequence[str]) -> int | None:
        """The number of tokens up to the one that completes a stop text; None if none is complete.

        new: tokens at the end that were not there at the last call. Each token stands for some text, so of the older
        ones as many as the longest stop text has bytes can have a part in it.
        """
        reach = 4 + max(len(stop.encode()) for stop in stops)  # a letter may be cut at the start
        start = max(0, len(tokens) - new - reach)
        if not self._contains(tokens[start:], stops):
            return None
        for end in range(max(start, len(tokens) - new) + 1, len(tokens) + 1):
            if self._contains(tokens[start:end], stops):
                return end
        return len(tokens)

    def _contains(self, tokens: Sequence[int], stops: Sequence[str]) -> bool:
        text = self._decode(tokens)
        return any(stop in text for stop in stops)
