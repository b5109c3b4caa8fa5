"""What the demo says, to people and to files."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from support.changes import AT, change

from stream_app.cli._demo.screen import Screen
from stream_app.cli._demo.tally import Tally
from stream_app.cli._demo.words import change_row, class_table, day, user_rows
from stream_app.domain.because import Because
from stream_app.domain.changes import Source

LONG = [Because(f"feature_number_{n}", 1.0, ">", 0.0) for n in range(4)]


def plain(row):
    return "".join(column.plain for column in row)


def printed(terminal, width, show):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, color_system=None)
    show(Screen(console))
    return out.getvalue()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (change(), " 3 Oct  h0001  + big_spender                   spend_30d 531.50 > 500"),
        (
            change(tag="interest", action="removed", value=None, previous=["beer", "wine"]),
            " 3 Oct  h0001  − interest = beer, wine         spend_30d 531.50 > 500",
        ),
        (
            change(tag="spend_level", action="updated", value="high", previous="mid"),
            " 3 Oct  h0001  ~ spend_level = high            spend_30d 531.50 > 500",
        ),
    ],
)
def test_a_change_is_a_line(given, expected):
    assert plain(change_row(given)) == expected


def test_a_segment_is_told_in_words():
    segment = change(
        tag="segments", action="updated", value="s2", previous="s4",
        source=Source("segment", "segments", "17", "many orders"),
        because=[Because("orders_30d", 9.0, ">", 3.1, reference=3.1)],
    )  # fmt: skip
    _, why = change_row(segment)
    assert why.plain == '"many orders" (was s4) because orders_30d 9 > 3.10 typical'


def test_a_band_is_told_with_the_one_before():
    banded = change(
        tag="likely_to_churn", action="updated", value="high", previous="top", confidence=0.74,
        source=Source("model", "likely_to_churn", "17"), because=[],
    )  # fmt: skip
    _, why = change_row(banded)
    assert why.plain == "(was top) p = 0.74"


def test_days_are_those_of_the_shop():
    assert day(AT + 8 * 3_600_000) == " 3 Oct"


def test_a_user_is_told_by_what_sets_him_apart():
    tally = Tally()
    for number in range(7):
        tally.add(change(tag=f"tag_{number}"))
        tally.add(change("h0002", f"tag_{number % 2}"))
    rows = [plain(row) for row in user_rows(tally, "h0001", 1234)]
    assert rows[0] == "h0001  1,234 events"
    assert rows[1] == f"  {'tag_2':<30}  since  3 Oct: spend_30d 531.50 > 500"
    assert rows[-1] == "  and 2 more: tag_0, tag_1"
    assert len(rows) == 7


def test_a_user_without_tags_is_a_line():
    assert [plain(row) for row in user_rows(Tally(), "h9", 3)] == ["h9  3 events"]


def test_a_class_is_a_row():
    tally = Tally()
    tally.add(change())
    out = printed(False, 100, lambda screen: screen.print(class_table(tally.classes(), 20)))
    assert "spending   1 of 20         1   big_spender 1" in out


def test_a_terminal_folds_reasons_below_reasons_and_a_file_keeps_lines():
    row = change_row(change(because=LONG))
    folded = printed(True, 80, lambda screen: screen.row(*row)).splitlines()
    assert len(folded) > 1
    assert all(len(line.rstrip()) <= 80 for line in folded)
    assert all(line.startswith(" " * 47) for line in folded[1:])
    assert printed(False, 80, lambda screen: screen.row(*row)) == plain(row) + "\n"


def test_brackets_of_features_are_no_markup():
    row = change_row(change(because=[Because("interests[red]", 0.4, ">=", 0.2)]))
    for terminal in (True, False):
        assert "interests[red] 0.40 ≥ 0.20" in printed(
            terminal, 100, lambda screen: screen.row(*row)
        )


def test_commands_to_copy_stay_one_line():
    command = "  export " + "STREAM_APP=1 " * 20
    out = printed(True, 80, lambda screen: screen.copyable(command))
    assert out == command + "\n"


def test_without_a_terminal_a_status_is_a_line_now_and_then():
    def show(screen):
        for n in range(5):
            screen.status(n / 5, f"{n} events")

    assert printed(False, 80, show) == "... 0 events\n"


def test_a_stage_says_what_came_of_it_and_nothing_when_it_fails():
    def show(screen):
        with screen.stage("Kafka", "starting") as stage:
            stage.say("downloading 1 MB")
            stage.say("downloading 2 MB")
            stage.result = "ready"
        with pytest.raises(ValueError), screen.stage("Worker", "starting"):
            raise ValueError

    assert printed(False, 80, show).splitlines() == [
        "Kafka     starting",
        "Kafka     downloading 1 MB",
        "Kafka     ready",
        "Worker    starting",
    ]
