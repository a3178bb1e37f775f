"""Edit distance, as far as anybody here needs to know it."""

from __future__ import annotations


def edits_at_least(a: str, b: str, limit: int) -> bool:
    """Whether turning `a` into `b` takes at least `limit` insertions, deletions or replacements of
    characters.

    Only cells within `limit` of the diagonal are visited, so the cost is len(a) * limit.
    """
    if limit <= 0 or abs(len(a) - len(b)) >= limit:
        return True
    row = {j: j for j in range(min(len(b), limit) + 1)}
    for i in range(1, len(a) + 1):
        above, row = row, {}
        for j in range(max(0, i - limit), min(len(b), i + limit) + 1):
            replaced = above.get(j - 1, limit) + (j > 0 and a[i - 1] != b[j - 1])
            row[j] = min(replaced, above.get(j, limit) + 1, row.get(j - 1, limit) + 1)
        if min(row.values()) >= limit:
            return True
    return row[len(b)] >= limit
