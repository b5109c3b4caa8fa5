"""The Faust agents: one an input topic, each hands what it gets to the partition tasks."""

from stream_app.agents.inputs import add_agent, add_agents

__all__ = ["add_agent", "add_agents"]
