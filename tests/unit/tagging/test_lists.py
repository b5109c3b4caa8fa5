"""List tags: who is in, why, and that a mere change of order is none."""

from support.tag_table import DAY, HOUR, START, Table, shown, weighted

from stream_app.tagging import NEVER

LIKES = "likes: {class: interest, list: tops, top: 2, min_share: 0.2}"


def lines(table: Table, now: int, *users: dict[str, float]) -> list[str]:
    return [shown(decision) for decision in table.changes(now, tops=weighted(users))]


def test_the_heaviest_entries_with_enough_of_a_share_are_in_the_list() -> None:
    table = Table(LIKES, users=3)
    assert lines(
        table, START, {"hats": 0.6, "shoes": 0.3, "bags": 0.1}, {"toys": 0.9, "bags": 0.1}, {}
    ) == [
        "added likes None -> ['hats', 'shoes'] (rule: tops[hats] 0.6 >= 0.2, "
        "tops[shoes] 0.3 >= 0.2)",
        "added likes None -> ['toys'] (rule: tops[toys] 0.9 >= 0.2)",
    ]
    assert table.values() == [{"likes": ["hats", "shoes"]}, {"likes": ["toys"]}, {}]


def test_the_least_share_is_enough() -> None:
    table = Table(LIKES)
    column = weighted([{"hats": 0.8, "shoes": 0.2}])
    assert [d.value for d in table.changes(START, tops=column)] == [["hats", "shoes"]]


def test_another_order_alone_is_no_change_and_the_list_keeps_its_order() -> None:
    table = Table(LIKES)
    table.decide(START, tops=weighted([{"hats": 0.6, "shoes": 0.4}]))
    assert lines(table, START, {"shoes": 0.6, "hats": 0.4}) == []
    assert table.values() == [{"likes": ["hats", "shoes"]}]


def test_reasons_name_who_came_and_who_went() -> None:
    table = Table(LIKES)
    table.decide(START, tops=weighted([{"hats": 0.6, "shoes": 0.4}]))
    assert lines(table, START, {"bags": 0.4, "hats": 0.35, "shoes": 0.25}) == [
        "updated likes ['hats', 'shoes'] -> ['bags', 'hats'] "
        "(rule: tops[bags] 0.4 >= 0.2, tops[shoes] 0.25 < 0.35)"
    ]
    assert lines(table, START, {"bags": 0.9, "hats": 0.1}) == [
        "updated likes ['bags', 'hats'] -> ['bags'] (rule: tops[hats] 0.1 < 0.2)"
    ]
    assert lines(table, START, {}) == [
        "removed likes ['bags'] -> None (rule: tops[bags] 0.0 < 0.2)"
    ]


def test_a_hold_puts_a_change_of_the_list_off() -> None:
    table = Table(LIKES.replace("}", ", hold: 1d}"))
    table.decide(START, tops=weighted([{"hats": 1.0}]))
    put_off = table.decide(START + HOUR, tops=weighted([{"bags": 1.0}]))
    assert (put_off.changes, put_off.due.tolist()) == ([], [START + DAY])
    assert table.values() == [{"likes": ["hats"]}]
    changed = table.decide(START + DAY, tops=weighted([{"bags": 1.0}]))
    assert ([d.value for d in changed.changes], changed.due.tolist()) == ([["bags"]], [NEVER])


def test_entries_beyond_the_dictionary_are_left_out() -> None:
    table = Table(LIKES)
    column = weighted([{"hats": 0.7, "shoes": 0.3}])
    column.codes[0, 0] = 65_535
    assert [d.value for d in table.changes(START, tops=column)] == [["shoes"]]
    assert table.values() == [{"likes": ["shoes"]}]


def test_lists_and_other_tags_come_in_the_order_of_declaration() -> None:
    text = f"a: {{class: basic, when: x > 1}}\n{LIKES}\nb: {{class: basic, when: x > 1}}"
    table = Table(text, users=2)
    changes = table.changes(START, x=[2, 2], tops=weighted([{"hats": 1.0}] * 2))
    assert [(d.row, d.tag) for d in changes] == [
        (row, tag) for row in (0, 1) for tag in ("a", "likes", "b")
    ]
    assert list(table.values()[0]) == ["a", "likes", "b"]


def test_more_entries_can_be_declared_while_running() -> None:
    wider = Table(LIKES.replace("top: 2", "top: 3"))
    assert wider.tags.fields == Table(LIKES).tags.fields
