"""What is drawn: a panel a column, measured and published apart; equal figures are equal files."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from rstar_jax.evaluation.canvas import png, svg
from rstar_jax.reproduction.figures import draw, figures

NAMES = ("figure_3", "figure_5", "figure_6", "figure_7")


@pytest.mark.parametrize("name", NAMES)
def test_a_panel_for_each_column_with_the_papers_points(plan, rounds, study, name):
    figure = draw(figures(plan, rounds)[name], study)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == len(plan.columns)
    hollow = [line for axes in shown for line in axes.get_lines() if line.get_markerfacecolor() == "white"]
    assert bool(hollow) == any(column.paper for column in plan.columns)
    assert not [line for line in shown[-1].get_lines() if line.get_markerfacecolor() == "white"]  # "All" has none
    assert figure.legends[0].get_texts()


@pytest.mark.parametrize("name", NAMES)
def test_files_are_whole_and_the_same_again(plan, rounds, study, name):
    first, second = (draw(figures(plan, rounds)[name], study) for _ in range(2))
    assert png(first) == png(second)
    ElementTree.fromstring(svg(first))


def test_nothing_is_drawn_from_nothing(plan, rounds, empty):
    for spec in figures(plan, rounds).values():
        assert draw(spec, empty) is None


def test_curves_go_through_what_was_measured(plan, rounds, study):
    spec = figures(plan, rounds)["figure_7"]
    axes = draw(spec, study).axes[-1]
    line = axes.get_lines()[0]
    expected = [100 * study.accuracy(way, plan.columns[-1], "strict").estimate for _, way in spec.series[0].ways]
    assert list(line.get_ydata()) == pytest.approx(expected)
    assert list(line.get_ydata()) == sorted(line.get_ydata())  # pass@N can only rise with N


def test_nothing_is_clipped(plan, rounds, study):
    """Texts of a figure lie inside it."""
    for spec in figures(plan, rounds).values():
        figure = draw(spec, study)
        png(figure)
        renderer = figure.canvas.get_renderer()
        for text in (*figure.texts, *figure.legends[0].get_texts(), *(axes.title for axes in figure.axes)):
            box = text.get_window_extent(renderer)
            assert box.x0 >= 0, (spec.name, text.get_text())
            assert box.x1 <= figure.bbox.x1, (spec.name, text.get_text())
