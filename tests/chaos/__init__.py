"""Faults by seed against workers, a trainer and a real Kafka; a checker that reads topics alone."""
