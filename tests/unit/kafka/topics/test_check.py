"""Every way in which an existing topic can fail to fit, and what is said about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_app.kafka.topics.check import Found, TopicsError, compare, found_of
from stream_app.kafka.topics.spec import TopicPlan, TopicSpec, topic_specs
from stream_app.learning.snapshot import MAX_BYTES
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


def learned(**changed: Found) -> tuple[list[TopicSpec], list[str]]:
    """The two topics of learning, and what is said of them beside the others."""
    settings = Settings(
        route="never", partitions=8, replication=3, min_insync_replicas=2, training_days=30
    )
    specs = topic_specs(TopicPlan.of(settings, learning=True))
    found = FIT | {spec.name: Found(1, 3, spec.config) for spec in specs[6:]} | changed
    return list(specs[6:]), [m for finding in compare(specs, found) for m in finding.misfits]


def test_samples_and_models_have_one_partition_where_something_is_learned() -> None:
    (training, models), said = learned()
    assert (training.name, training.partitions, training.policy) == ("training", 1, "delete")
    assert training.config["retention.ms"] == str(30 * 86_400_000)
    assert (models.name, models.partitions, models.policy) == ("models", 1, "compact")
    assert models.max_message_bytes > MAX_BYTES
    assert said == []


def test_where_nothing_is_learned_there_is_no_topic_for_it() -> None:
    plan = TopicPlan.of(Settings())
    assert plan.training == plan.models == ""
    assert len(topic_specs(plan)) == 7


def test_where_events_are_routed_inputs_may_have_any_number_of_partitions() -> None:
    for route, fit in (("auto", True), ("never", False)):
        plan = TopicPlan.of(Settings(partitions=4, route=route))
        specs = topic_specs(plan)
        there = {spec.name: Found(4, 1, spec.config) for spec in specs}
        assert ("stream_app-routed" in there) == fit
        there |= {"clicks": Found(3, 1, {}), "purchases": Found(8, 1, {})}
        findings = compare(specs, there)
        bad = [f for f in findings if f.misfits]
        assert [f.spec.name for f in bad] == ([] if fit else ["clicks", "purchases"])
        assert all("with STREAM_APP_ROUTE=auto an input may" in f.misfits[0] for f in bad)


def test_routed_events_are_kept_until_they_are_read() -> None:
    (routed,) = [s for s in topic_specs(TopicPlan.of(Settings())) if s.name == "stream_app-routed"]
    assert (routed.policy, routed.config["retention.ms"]) == ("delete", "-1")


@pytest.mark.parametrize("name", ["training", "models"])
def test_more_than_one_partition_of_them_is_never_the_setting_s_fault(name: str) -> None:
    config = {spec.name: spec.config for spec in learned()[0]}[name]
    [said] = learned(**{name: Found(8, 3, config)})[1]
    assert said.startswith(f"{name}: 8 partition(s), 1 wanted; ")
    assert "STREAM_APP_PARTITIONS" not in said


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
            "would lose what is in use",
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
    wanted = replace(PLAN, tags="shop-tags", routed="shop-routed")
    assert TopicPlan.of(settings) == wanted
    assert TopicPlan.of(settings).changelog == settings.changelog_topic


def test_a_topic_that_may_not_be_looked_at_is_not_missing() -> None:
    specs = topic_specs(TopicPlan(app_id="shop"))
    hidden = "clicks: this user may not see it"
    findings = compare(specs, {}, {"clicks": hidden})
    assert findings[0].misfits == (hidden,)
    assert not findings[0].missing
    assert findings[1].missing
    with pytest.raises(TopicsError, match="may not see it"):
        found_of(findings, "clicks")
    assert found_of(findings, "purchases") is None


def test_a_topic_whose_settings_are_hidden_is_used_by_who_needs_no_settings() -> None:
    specs = topic_specs(TopicPlan(app_id="shop"))
    there = Found(partitions=4, replication=1, config={})
    name = "shop-profiles-changelog"
    hidden = f"{name}: this user may not read its settings"
    findings = compare(specs, {name: there}, {name: hidden})
    assert [finding.misfits for finding in findings if finding.misfits] == [(hidden,)]
    assert found_of(findings, name) is there
