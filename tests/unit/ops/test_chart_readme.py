"""The table of values in the chart's README."""

import pytest
from tests.chart.readme import README, UndocumentedValueError, read_values, render

VALUES = """
# A heading, no description.
plain: 1
# -- One line.
one: {a: 1}
two:
  # -- Two
  # lines.
  inner: ""
  # Beside the point.

  # -- The last one counts.
  list: []
"""


def test_it_is_current() -> None:
    assert README.read_text() == render(), "run: make chart-readme"


def test_descriptions_are_the_comments_right_above() -> None:
    found = read_values(VALUES.replace("plain: 1", "# -- Given.\nplain: 1"))
    assert [(value.name, value.default, value.description) for value in found[1:]] == [
        ("one", {"a": 1}, "One line."),
        ("two.inner", "", "Two lines."),
        ("two.list", [], "The last one counts."),
    ]


def test_a_value_without_one_is_an_error() -> None:
    with pytest.raises(UndocumentedValueError, match="plain"):
        read_values(VALUES)
