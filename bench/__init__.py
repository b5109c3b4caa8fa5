"""Measures the whole job against an embedded Kafka; `python -m bench --help`.

How to read and repeat the figures: docs/performance.md.
"""
