"""Refused events: written with their reason, read back by an operator, repaired and sent again.

`dead_letters` is the worker's side, with a budget for how many; `letters`, `repair` and `retry`
are the operator's.
"""
