"""The topic of routed events where nothing is routed any more: some may be on their way still."""

from __future__ import annotations

from dataclasses import replace

from stream_app.kafka.topics.admin import ensure_topics
from stream_app.kafka.topics.check import Finding, TopicsError
from stream_app.kafka.topics.spec import TopicPlan
from stream_app.settings import Settings


async def routed_topic(settings: Settings, plan: TopicPlan) -> Finding:
    """What there is of it, whatever `route` says; one that may not be seen is not `missing`."""
    routing = replace(plan, routed=settings.routed_topic)
    findings = await ensure_topics(settings.client_options(), routing, create=False)
    return next(one for one in findings if one.spec.name == routing.routed)


async def has_routed(settings: Settings) -> bool:
    """Whether events may be on their way: they are routed, or were, and their topic is there.

    Raises TopicsError where it may not be seen.
    """
    if settings.route == "auto":
        return True
    left = await routed_topic(settings, TopicPlan.of(settings))
    if left.unseen:
        raise TopicsError([f"whether events are on their way is not known: {left.unseen}"])
    return left.found is not None


async def every_topic(settings: Settings) -> list[Finding]:
    """What there is of all topics, that of routed events included wherever there is one."""
    plan = TopicPlan.of(settings)
    if await has_routed(settings):
        plan = replace(plan, routed=settings.routed_topic)
    return await ensure_topics(settings.client_options(), plan, create=False)
