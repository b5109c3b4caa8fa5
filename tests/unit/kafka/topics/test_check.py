"""Every way in which an existing topic can fail to fit, and what is said about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_app.kafka.topics.check import Found, TopicsError, compare
from stream_app.kafka.topics.spec import TopicPlan, topic_specs
from stream_app.settings import Settings

PLAN = TopicPlan("shop", partitions=8, replication=3, min_isr=2)
SPECS = topic_specs(PLAN)
FIT = {spec.name: Found(8, 3, spec.config) for spec in SPECS}


def misfits(**changed: Found) -> list[str]:
    found = FIT | {name.replace("_", "-"): there for name, there in changed.items()}
    return [misfit for finding in compare(SPECS, found) for misfit in finding.misfits]


def config(name: str, **settings: str) -> dict[str, str]:
    return dict(FIT[name].config) | {k.replace("_", "."): v for k, v in settings.items()}


def test_six_topics_are_declared_with_equally_many_partitions() -> None:
    assert [spec.name for spec in SPECS] == [
        "clicks",
        "purchases",
        "shop-profiles-changelog",
        "tags",
        "tag-state",
        "dead-letters",
    ]
    assert {spec.partitions for spec in SPECS} == {8}
    assert {spec.name for spec in SPECS if spec.policy == "compact"} == {
        "shop-profiles-changelog",
        "tag-state",
    }


def test_samples_have_one_partition_where_something_is_learned() -> None:
    plan = TopicPlan.of(Settings(partitions=8, training_days=30), learning=True)
    training = topic_specs(plan)[-1]
    assert (training.name, training.partitions, training.policy) == ("training", 1, "delete")
    assert training.config["retention.ms"] == str(30 * 86_400_000)
    found = FIT | {"training": Found(1, 3, training.config)}
    assert [f.misfits for f in compare((*SPECS, training), found) if f.misfits] == []
    assert TopicPlan.of(Settings()).training == ""


def test_topics_as_created_fit() -> None:
    assert misfits() == []


def test_more_than_wanted_fits() -> None:
    more = config("tags", min_insync_replicas="3", max_message_bytes="99999999")
    assert misfits(tags=Found(8, 5, more)) == []


def test_a_missing_topic_is_no_misfit() -> None:
    finding = compare(SPECS, {})[0]
    assert finding.missing
    assert finding.misfits == ()


@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        ("clicks", Found(4, 3, FIT["clicks"].config), "clicks: 4 partition(s), 8 wanted"),
        ("tags", Found(8, 3, config("tags", cleanup_policy="compact")), "would drop all but"),
        (
            "tag-state",
            Found(8, 3, config("tag-state", cleanup_policy="delete")),
            "--entity-name tag-state --add-config cleanup.policy=compact",
        ),
        (
            "tag-state",
            Found(8, 3, config("tag-state", cleanup_policy="compact,delete")),
            "would lose users",
        ),
        ("purchases", Found(8, 2, FIT["purchases"].config), "STREAM_APP_REPLICATION=2"),
        (
            "tags",
            Found(8, 3, config("tags", min_insync_replicas="1")),
            "min.insync.replicas=1, at least 2 wanted",
        ),
        (
            "tags",
            Found(8, 3, config("tags", min_insync_replicas="4")),
            "nothing can be written",
        ),
        (
            "dead-letters",
            Found(8, 3, config("dead-letters", max_message_bytes="1000")),
            f"max.message.bytes=1000, at least {PLAN.max_message_bytes} wanted",
        ),
    ],
)
def test_a_misfit_names_topic_fault_and_remedy(name: str, found: Found, said: str) -> None:
    lines = misfits(**{name.replace("-", "_"): found})
    assert len(lines) == 1
    assert lines[0].startswith(f"{name}: ")
    assert said in lines[0]


def test_what_producers_may_send_is_theirs() -> None:
    small = config("clicks", max_message_bytes="1000")
    assert misfits(clicks=Found(8, 3, small)) == []


def test_when_all_have_the_same_other_count_the_setting_is_the_remedy() -> None:
    others = {spec.name: replace(FIT[spec.name], partitions=12) for spec in SPECS}
    said = [misfit for finding in compare(SPECS, others) for misfit in finding.misfits]
    assert len(said) == 6
    assert all("set STREAM_APP_PARTITIONS=12" in line for line in said)


def test_the_error_lists_every_misfit() -> None:
    error = TopicsError(["a: x", "b: y"])
    assert error.misfits == ("a: x", "b: y")
    assert str(error) == "a: x; b: y"


def test_the_plan_takes_names_and_numbers_from_the_settings() -> None:
    settings = Settings(
        app_id="shop", partitions=8, replication=3, min_insync_replicas=2, tags_topic="shop-tags"
    )
    assert TopicPlan.of(settings) == replace(PLAN, tags="shop-tags")
    assert TopicPlan.of(settings).changelog == settings.changelog_topic
