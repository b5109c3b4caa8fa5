"""Looks at all that has to be right, and says what is not; `look` asks, `judge` decides."""

from stream_app.kafka.doctor.examine import examine
from stream_app.kafka.doctor.findings import Finding, State, healthy

__all__ = ["Finding", "State", "examine", "healthy"]
