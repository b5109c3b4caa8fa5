"""Flags and valued tags: when they change, to what, and with which reasons."""

import numpy as np
from support.tag_table import DAY, HOUR, SECOND, START, Table, cities, shown

from stream_app.domain.layout import Layout, convert
from stream_app.tagging import NEVER

BIG = "big: {class: spending, when: x > 200, until: x < 150}"
HELD = "big: {class: spending, when: x > 200, hold: 1d}"
BRIEF = "new: {class: lifecycle, when: x == 1, expires: 2d}"
LEVEL = "level: {class: spending, values: {high: x >= 400, mid: x >= 100, low: x > 0}}"


def lines(table: Table, now: int, **columns: object) -> list[str]:
    return [shown(decision) for decision in table.changes(now, **columns)]


def test_a_flag_follows_its_condition() -> None:
    table = Table("t: {class: basic, when: x > 1 and city == 'Oslo'}")
    assert lines(table, START, x=[2], city=cities(["Oslo"])) == [
        "added t None -> True (rule: x 2.0 > 1.0, city Oslo == Oslo)"
    ]
    assert lines(table, START, x=[2], city=cities(["Oslo"])) == []
    assert lines(table, START, x=[2], city=cities(["Rome"])) == [
        "removed t True -> None (rule: city Rome != Oslo)"
    ]


def test_a_decision_says_all_that_a_message_needs() -> None:
    table = Table("a: {class: basic, when: x > 9}\nt: {class: social, when: x > 1, expires: 1h}")
    decision = table.changes(START + 1, x=[None, 2] and [2])[0]
    assert (decision.row, decision.place, decision.tag, decision.cls) == (0, 1, "t", "social")
    assert decision.confidence == 1.0
    assert decision.revision == table.tags.declarations["t"].revision
    # Kept in whole seconds, rounded up.
    assert decision.valid_until == START + SECOND + HOUR
    assert table.bound.state(table.rows, 0, [])["t"] == {
        "value": True,
        "confidence": 1.0,
        "since": START + SECOND,
        "valid_until": START + SECOND + HOUR,
    }


def test_changes_come_by_row_and_then_as_declared() -> None:
    table = Table("b: {class: basic, when: x > 1}\na: {class: basic, when: y > 1}", users=3)
    changes = table.changes(START, x=[2, 0, 2], y=[2, 0, 2])
    assert [(d.row, d.tag) for d in changes] == [(0, "b"), (0, "a"), (2, "b"), (2, "a")]


def test_what_is_missing_sets_nothing_and_ends_what_it_decided() -> None:
    table = Table("t: {class: basic, when: x > 1}")
    assert lines(table, START, x=[None]) == []
    table.decide(START, x=[2])
    assert lines(table, START, x=[None]) == ["removed t True -> None (rule: x None missing None)"]


def test_until_keeps_a_tag_inside_the_band() -> None:
    table = Table(BIG)
    assert lines(table, START, x=[180]) == []
    assert lines(table, START, x=[201]) == ["added big None -> True (rule: x 201.0 > 200.0)"]
    assert lines(table, START, x=[150]) == []
    assert lines(table, START, x=[149]) == ["removed big True -> None (rule: x 149.0 < 150.0)"]
    assert lines(table, START, x=[180]) == []


def test_until_ends_a_tag_whose_condition_became_unknown() -> None:
    table = Table("big: {class: spending, when: x > 200 and y > 1, until: y < 0}")
    table.decide(START, x=[201], y=[2])
    assert lines(table, START, x=[1], y=[2]) == []
    assert lines(table, START, x=[None], y=[2]) == [
        "removed big True -> None (rule: x None missing None)"
    ]


def test_where_when_and_until_are_both_true_the_tag_is_not_set() -> None:
    table = Table("t: {class: basic, when: x > 1, until: y > 1}")
    assert lines(table, START, x=[2], y=[2]) == []


def test_a_hold_puts_a_change_off_to_its_end() -> None:
    table = Table(HELD)
    assert table.decide(START, x=[201]).due.tolist() == [NEVER]
    put_off = table.decide(START + HOUR, x=[1])
    assert (put_off.changes, put_off.due.tolist()) == ([], [START + DAY])
    assert lines(table, START + DAY - 1, x=[1]) == []
    assert lines(table, START + DAY, x=[1]) == ["removed big True -> None (rule: x 1.0 <= 200.0)"]


def test_a_change_that_went_away_within_the_hold_never_happens() -> None:
    table = Table(HELD)
    table.decide(START, x=[201])
    table.decide(START + HOUR, x=[1])
    settled = table.decide(START + DAY, x=[300])
    assert (settled.changes, settled.due.tolist()) == ([], [NEVER])


def test_a_hold_is_never_shorter_than_declared() -> None:
    table = Table(HELD)
    table.decide(START + 1, x=[201])
    assert table.decide(START + 1 + DAY, x=[1]).due.tolist() == [START + SECOND + DAY]


def test_a_tag_expires_at_its_time_and_waits_for_its_condition_to_end() -> None:
    table = Table(BRIEF)
    assert table.decide(START, x=[1]).due.tolist() == [START + 2 * DAY]
    assert table.decide(START + 2 * DAY - 1, x=[1]).changes == []
    expired = table.decide(START + 2 * DAY, x=[1])
    assert [shown(d) for d in expired.changes] == [
        "removed new True -> None (expiry: hours_since_set 48.0 >= 48.0)"
    ]
    assert expired.changes[0].valid_until is None
    assert expired.due.tolist() == [NEVER]
    assert table.values() == [{}]
    assert table.changes(START + 9 * DAY, x=[1]) == []
    assert table.changes(START + 9 * DAY, x=[2]) == []
    assert len(table.changes(START + 9 * DAY, x=[1])) == 1


def test_an_expiry_that_comes_with_the_end_of_the_condition_arms_the_tag_again() -> None:
    table = Table(BRIEF)
    table.decide(START, x=[1])
    assert [d.source_kind for d in table.changes(START + 3 * DAY, x=[2])] == ["expiry"]
    assert [d.action for d in table.changes(START + 3 * DAY, x=[1])] == ["added"]


def test_the_rule_can_end_a_tag_before_its_expiry() -> None:
    table = Table(BRIEF)
    table.decide(START, x=[1])
    assert [d.source_kind for d in table.changes(START + DAY, x=[2])] == ["rule"]


def test_a_hold_counts_from_an_expiry_too() -> None:
    table = Table("t: {class: basic, when: x > 1, hold: 1d, expires: 2d}")
    table.decide(START, x=[2])
    table.decide(START + 2 * DAY, x=[2])
    table.decide(START + 2 * DAY, x=[0])
    put_off = table.decide(START + 2 * DAY + HOUR, x=[2])
    assert (put_off.changes, put_off.due.tolist()) == ([], [START + 3 * DAY])
    assert [d.action for d in table.changes(START + 3 * DAY, x=[2])] == ["added"]


def test_a_valued_tag_takes_the_first_case_that_is_true() -> None:
    table = Table(LEVEL)
    assert lines(table, START, x=[0]) == []
    assert lines(table, START, x=[50]) == ["added level None -> low (rule: x 50.0 > 0.0)"]
    assert lines(table, START, x=[400]) == ["updated level low -> high (rule: x 400.0 >= 400.0)"]
    assert lines(table, START, x=[399]) == [
        "updated level high -> mid (rule: x 399.0 < 400.0, x 399.0 >= 100.0)"
    ]
    assert lines(table, START, x=[None]) == [
        "removed level mid -> None (rule: x None missing None)"
    ]


def test_a_case_that_is_unknown_leaves_the_next_its_chance() -> None:
    table = Table("t: {class: basic, values: {a: x > 1, b: y > 1}}")
    assert [d.value for d in table.changes(START, x=[None], y=[2])] == ["b"]


def test_a_valued_tag_that_expired_waits_until_no_case_is_true() -> None:
    table = Table(LEVEL.replace("}}", "}, expires: 1d}"))
    table.decide(START, x=[50])
    assert table.decide(START + HOUR, x=[150]).due.tolist() == [START + HOUR + DAY]
    assert [d.source_kind for d in table.changes(START + HOUR + DAY, x=[150])] == ["expiry"]
    assert table.changes(START + 3 * DAY, x=[500]) == []
    assert table.changes(START + 3 * DAY, x=[0]) == []
    assert [d.value for d in table.changes(START + 3 * DAY, x=[500])] == ["high"]


def reload(table: Table, text: str) -> Table:
    changed = Table(text, len(table.rows))
    old, new = Layout.of(table.tags.fields), Layout.of(changed.tags.fields)
    changed.rows = convert(table.rows, old, new)
    return changed


def test_a_tag_that_is_declared_no_more_vanishes_without_a_word() -> None:
    table = Table(f"{BIG}\n{LEVEL}")
    table.decide(START, x=[500])
    table = reload(table, LEVEL)
    assert table.changes(START, x=[500]) == []
    assert table.values() == [{"level": "high"}]


def test_values_can_be_added_and_moved_while_running() -> None:
    table = Table(LEVEL)
    table.decide(START, x=[150])
    table = reload(table, LEVEL.replace("{high:", "{top: x > 900, high:"))
    assert table.changes(START, x=[150]) == []
    assert table.values() == [{"level": "mid"}]


def test_an_expired_tag_that_is_declared_without_expiry_is_set_again() -> None:
    table = Table(BRIEF)
    table.decide(START, x=[1])
    table.decide(START + 2 * DAY, x=[1])
    table = reload(table, "new: {class: lifecycle, when: x == 1}")
    assert [shown(d) for d in table.changes(START + 2 * DAY, x=[1])] == [
        "added new None -> True (rule: x 1.0 == 1.0)"
    ]


def test_an_expired_tag_that_is_declared_without_expiry_is_not_kept_by_until() -> None:
    table = Table(BIG.replace("}", ", expires: 1d}"))
    table.decide(START, x=[201])
    table.decide(START + DAY, x=[201])
    table = reload(table, BIG)
    assert table.changes(START + DAY, x=[180]) == []
    assert table.values() == [{}]


def test_a_flag_made_of_a_valued_tag_goes_on_as_it_was() -> None:
    table = Table(LEVEL)
    table.decide(START, x=[150])
    table = reload(table, "level: {class: spending, when: x > 1}")
    assert table.changes(START, x=[150]) == []
    assert table.values() == [{"level": True}]


def test_no_tags_and_no_rows() -> None:
    none = Table("{}", users=2)
    assert (none.changes(START), none.values()) == ([], [{}, {}])
    empty = Table(BIG, users=0)
    decisions = empty.decide(START, x=[])
    assert (decisions.changes, decisions.due.dtype, decisions.due.size) == ([], np.int64, 0)
    assert empty.values() == []
