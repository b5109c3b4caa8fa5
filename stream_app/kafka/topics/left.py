"""The topic of routed events where nothing is routed any more: some may be on their way still."""

from __future__ import annotations

from dataclasses import replace

from stream_app.kafka.topics.admin import ensure_topics
from stream_app.kafka.topics.check import Finding
from stream_app.kafka.topics.spec import TopicPlan
from stream_app.settings import Settings


async def routed_topic(settings: Settings, plan: TopicPlan) -> Finding:
    """What there is of it, whatever `route` says; one that may not be seen is not `missing`."""
    routing = replace(plan, routed=settings.routed_topic)
    findings = await ensure_topics(settings.client_options(), routing, create=False)
    return next(one for one in findings if one.spec.name == routing.routed)
