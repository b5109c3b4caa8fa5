"""Everything that talks to Kafka, a package for each concern: see docs/architecture.md.

Here lies only what every process shares: `errors` that end it, `ending` how, and the `watchdog`.
"""
