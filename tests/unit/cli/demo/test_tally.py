"""Tags as the changes leave them."""

from __future__ import annotations

from collections import Counter

from support.changes import change

from stream_app.cli._demo.tally import ClassCount, Tally, most_active
from stream_app.domain.because import Because


def followed(*changes):
    tally = Tally()
    for each in changes:
        tally.add(each)
    return tally


def test_the_last_change_of_a_tag_decides():
    low, high = (
        change(tag="spend_level", action=action, value=value)
        for action, value in (("added", "low"), ("updated", "high"))
    )
    tally = followed(low, change(), high, change(action="removed", value=None))
    assert tally.of("h0001") == [high]
    assert tally.changes == 4


def test_removing_what_was_never_seen_is_no_error():
    assert followed(change(action="removed")).of("h0001") == []


def test_everything_in_a_list_keeps_its_reason():
    def interest(action, value, **shares):
        because = [
            Because(f"interests[{name}]", share, "≥" if share >= 0.2 else "<", 0.2)
            for name, share in shares.items()
        ]
        return change(tag="interest", action=action, value=value, because=because)

    tally = followed(
        interest("added", ["beer"], beer=0.5),
        interest("updated", ["beer", "wine"], wine=0.3),
        interest("updated", ["wine", "tea"], tea=0.4, beer=0.1),
    )
    (held,) = tally.of("h0001")
    assert [(each.feature, each.value) for each in held.because] == [
        ("interests[wine]", 0.3),
        ("interests[tea]", 0.4),
    ]


def test_tags_are_told_by_class():
    loyal, phone = change(tag="loyal", cls="lifecycle"), change(tag="phone", cls="basic")
    assert followed(loyal, change(), phone).of("h0001") == [phone, change(), loyal]


def test_the_rarest_tags_are_those_that_few_users_have():
    tally = followed(
        *(change(user, "active", cls="lifecycle") for user in ("h0001", "h0002", "h0003")),
        *(change(user) for user in ("h0001", "h0002")),
        change(tag="advocate", cls="social"),
    )
    assert [each.tag for each in tally.rarest("h0001", 2)] == ["big_spender", "advocate"]


def test_a_class_counts_its_users_once_and_its_changes_all():
    tally = followed(
        change(tag="a"), change(tag="b"), change("h0002", "b"), change("h0003", "b"),
        change("h0003", "b", action="removed"), change(tag="old", cls="basic", action="removed"),
    )  # fmt: skip
    assert tally.classes(most=1) == [
        ClassCount("basic", changes=1, users=0, commonest=()),
        ClassCount("spending", changes=5, users=2, commonest=(("b", 2),)),
    ]


def test_the_most_active_users():
    events = Counter(c=3, b=3, a=1, d=9)
    assert most_active(events, 3) == [("d", 9), ("b", 3), ("c", 3)]
