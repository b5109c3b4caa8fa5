from __future__ import annotations

import shlex
from collections import Counter

import pytest

from stream_app.kafka.client.acls import ROLES, Right, commands, rights
from stream_app.settings import Settings

SETTINGS = Settings(app_id="shop", clicks_topic="c", models_topic="m")


def of(role: str, *, learning: bool = True) -> dict[str, set[str]]:
    """What a role may do, by resource and name."""
    return {
        f"{right.resource} {right.name}{'*' if right.prefixed else ''}": set(right.operations)
        for right in rights(SETTINGS, learning=learning, group="g")
        if right.role == role
    }


def test_each_resource_is_named_once_for_a_role() -> None:
    found = Counter((r.role, r.resource, r.name) for r in rights(SETTINGS, learning=True))
    assert set(found.values()) == {1}
    assert list(dict.fromkeys(role for role, *_ in found)) == list(ROLES)


def test_names_are_those_of_the_settings() -> None:
    assert of("worker") == {
        "topic c": {"Read", "DescribeConfigs"},
        "topic purchases": {"Read", "DescribeConfigs"},
        "topic tags": {"Write", "DescribeConfigs"},
        "topic tag-state": {"Write", "DescribeConfigs"},
        "topic dead-letters": {"Write", "DescribeConfigs"},
        "topic shop-profiles-changelog": {"Read", "Write", "DescribeConfigs"},
        "topic shop-routed": {"Read", "Write", "Delete", "DescribeConfigs"},
        "topic training": {"Write", "DescribeConfigs"},
        "topic m": {"Read", "DescribeConfigs"},
        "group shop": {"Read"},
        "transactional-id shop-*": {"Write"},
    }


def test_a_trainer_may_look_at_nothing_but_what_it_reads_and_writes() -> None:
    assert of("trainer") == {
        "topic training": {"Read", "DescribeConfigs"},
        "topic m": {"Read", "Write", "DescribeConfigs"},
        "group shop-trainer": {"Read"},
        "transactional-id shop-trainer": {"Write"},
    }


def test_who_changes_state_offline_may_no_more_than_that_needs() -> None:
    state = {"Read", "Write", "Alter", "DescribeConfigs"}
    assert of("maintainer", learning=False) == {
        "topic c": {"Read", "Alter", "DescribeConfigs"},
        "topic purchases": {"Read", "Alter", "DescribeConfigs"},
        "topic shop-profiles-changelog": state,
        "topic tag-state": state,
        "topic shop-routed": state,
        "topic tags": {"Alter", "DescribeConfigs"},
        "topic dead-letters": {"Alter", "DescribeConfigs"},
        "group shop": {"Describe"},
        "transactional-id shop-*": {"Write"},
    }
    kept = {"Read", "Write", "DescribeConfigs"}
    assert of("maintainer")["topic training"] == of("maintainer")["topic m"] == kept


def test_nobody_may_delete_but_what_arrived_and_only_operators_create() -> None:
    few = {"Create": "operator", "Delete": "worker", "Alter": "maintainer"}
    for right in rights(SETTINGS, learning=True, group="g"):
        assert set(right.operations) <= {"Read", "Write", "Describe", "DescribeConfigs", *few}
        assert all(right.role == few.get(one, right.role) for one in right.operations)
        assert "Delete" not in right.operations or right.name == "shop-routed"


def test_where_nothing_is_routed_any_more_what_was_is_read() -> None:
    settings = SETTINGS.model_copy(update={"route": "never"})
    left = {
        right.role: set(right.operations) - {"DescribeConfigs"}
        for right in rights(settings, learning=True)
        if right.name == "shop-routed"
    }
    assert left == {"worker": {"Read", "Delete"}, "maintainer": {"Read", "Alter"}}


def test_without_learning_there_is_no_trainer() -> None:
    found = rights(SETTINGS, learning=False)
    assert "trainer" not in {right.role for right in found}
    assert not {"training", "m"} & {right.name for right in found}


def test_who_reads_tags_gets_a_group_where_one_is_named() -> None:
    assert of("consumer")["group g"] == {"Read"}
    assert not any(r.resource == "group" for r in rights(SETTINGS, learning=True)
                   if r.role == "consumer")  # fmt: skip


def test_commands_grant_what_is_listed_and_no_more() -> None:
    found = rights(SETTINGS, learning=True, group="g g")
    principals = {role: f"User:CN={role},O=a b" for role in ROLES}
    granted = set()
    for line in commands(found, principals, "a:1", "my file"):
        name, *words = shlex.split(line)
        assert name == "kafka-acls.sh"
        pairs = [
            (words[i], words[i + 1]) for i in range(len(words) - 1) if words[i].startswith("--")
        ]
        assert pairs[:2] == [("--bootstrap-server", "a:1"), ("--command-config", "my file")]
        prefixed = ("--resource-pattern-type", "prefixed") in pairs
        who = dict(pairs)["--allow-principal"]
        operations = [value for option, value in pairs if option == "--operation"]
        for kind in ("topic", "group", "transactional-id"):
            for option, value in pairs:
                if option == f"--{kind}":
                    granted |= {(who, kind, value, prefixed, one) for one in operations}
    assert granted == {
        (principals[r.role], r.resource, r.name, r.prefixed, operation)
        for r in found
        for operation in r.operations
    }


def test_a_right_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Right("worker", "topic", "a", ("Read",), "why").name = "b"  # type: ignore[misc]
