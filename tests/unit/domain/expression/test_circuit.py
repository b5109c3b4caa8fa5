"""Conditions answered together are what each of them is by itself."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support import rule_cases
from support.reference_rules import truth
from support.rule_cases import Row

from stream_app.domain.expression import Answer, Circuit, Frame, parse


def answers(*sources: str) -> list[Answer]:
    """Where each is true, and then where each is false."""
    roots = [parse(source, rule_cases.KINDS).root for source in sources]
    return [Answer(root, side) for side in (True, False) for root in roots]


@given(st.lists(rule_cases.conditions(), min_size=1, max_size=6), rule_cases.rows())
def test_answers_are_those_of_a_row_at_a_time(sources: list[str], rows: list[Row]) -> None:
    wanted = answers(*sources)
    circuit = Circuit(wanted)
    table = circuit.run(Frame(rule_cases.columns(rows)), len(rows))
    found = table[circuit.places(wanted)].tolist()
    assert found == [
        [truth(source, row) is side for row in rows] for side in (True, False) for source in sources
    ]


def test_equal_answers_are_one_row_of_the_table() -> None:
    env = rule_cases.columns([{"a": 1.0, "b": 2.0, "hours": None, "device": None, "usual": "tv"}])
    wanted = answers("a > 0", "a > 0 and b > 0", "not (a > 0 and b > 0)", "b > 0 or a > 0")
    table = Circuit(wanted).run(Frame(env), 1)
    # Both sides of two comparisons, of the `and` and of the `or`.
    assert len(table) == 8


def test_a_column_is_read_once_however_often_it_is_compared() -> None:
    class Counting(dict[str, object]):
        asked = 0

        def __getitem__(self, name: str) -> object:
            self.asked += 1
            return super().__getitem__(name)

    wanted = answers("a > 1 and b > 0", "a > 2 or b > 0", "1 < a <= 3")
    counting = Counting(a=np.array([1.0]), b=np.array([2.0]))
    Circuit(wanted).run(Frame(counting), 1)
    assert counting.asked == 2


def test_conditions_without_comparisons_of_columns_with_constants_and_none_at_all() -> None:
    env = {"a": np.array([1.0, 3.0]), "b": np.array([2.0, 2.0])}
    (wanted, _) = answers("a > b")
    assert Circuit([wanted]).run(Frame(env), 2).tolist() == [[False, True]]
    assert Circuit([]).run(Frame({}), 2).shape == (0, 2)


def test_calculations_that_differ_by_parentheses_alone_are_told_apart() -> None:
    """Equal sources would share one result: that of whichever comes first."""
    env = {"a": np.array([2.0]), "b": np.array([3.0])}
    sources = [
        "a * ((b - a) + a * b) > 10",
        "a * (b - a) + a * b > 10",
        "a - (b - (a - b)) > -3",
        "a - (b - a) - b > -3",
        "-(a - (b + b)) > 3",
        "-a - (b + b) > 3",
    ]
    wanted = answers(*sources)[: len(sources)]
    circuit = Circuit(wanted)
    table = circuit.run(Frame(env), 1)
    row = {"a": 2.0, "b": 3.0}
    assert table[circuit.places(wanted)][:, 0].tolist() == [truth(one, row) for one in sources]
