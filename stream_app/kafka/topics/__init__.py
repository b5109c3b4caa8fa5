"""The topics that the program reads and writes: declared, created when missing, else checked."""

from stream_app.kafka.topics.admin import ensure_topics
from stream_app.kafka.topics.check import Finding, Found, TopicsError, compare, found_of
from stream_app.kafka.topics.spec import TopicPlan, TopicSpec, topic_specs

__all__ = [
    "Finding",
    "Found",
    "TopicPlan",
    "TopicSpec",
    "TopicsError",
    "compare",
    "ensure_topics",
    "found_of",
    "topic_specs",
]
