"""The published numbers: samples of every table, and relations that hold in the paper."""

from __future__ import annotations

import pytest

from rstar_jax.evaluation.paper import published


def test_all_tables_are_there():
    assert set(published()) == {*(f"table_{n}" for n in range(1, 11)), "figure_3", "figure_6", "figure_7"}
    for table in published().values():
        assert all(len(labels) == len(table.label_names) for labels in table.row_labels)
        assert all(len(cells) == len(table.columns) for cells in table.cells)


@pytest.mark.parametrize(
    ("name", "row", "column", "value"),
    [
        ("table_1", "MATH", "o1-mini", 90.0),
        ("table_2", "1", "Olympiad-level", 20.99),
        ("table_2", "4", "All", 90.25),
        ("table_3", "SLM-r4", "AIME24", 26.7),
        ("table_4", "r2", "GaokaoEn", 73.0),
        ("table_5", "GPT-4o", "MATH", 76.6),
        ("table_5", "o1-preview", "GSM8K", None),
        ("table_6", "Round 4", "MATH", 89.4),
        ("table_8", "PPM", "College", 59.0),
        ("table_5", "rStar-Math^64 7B (Qwen2.5) + 7B PPM", "MATH", 90.0),
        ("table_10", "Qwen2-Math-7B → our policy", "GSM8K", 88.3),
        ("table_9", "rStar-Math 7B", "AIME24", 15693),
    ],
)
def test_cells(name, row, column, value):
    assert published()[name].cell(row, column) == value


def test_round_1_of_table_6_is_the_first_row_of_table_4():
    assert published()["table_6"].row("Round 1") == published()["table_4"].row("r1")


def test_no_two_rows_of_a_table_have_the_same_labels():
    for name, table in published().items():
        assert len(set(table.row_labels)) == len(table.row_labels), name


def test_unknown_names():
    with pytest.raises(KeyError, match="no row 'SLM-r9'"):
        published()["table_3"].row("SLM-r9")
    with pytest.raises(KeyError, match="no column 'CMATH'"):
        published()["table_3"].cell("SLM-r1", "CMATH")
