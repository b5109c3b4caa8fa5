"""One module a contender; each runs in an environment of its own and imports nothing from here.

They are told by environment variables, see `plan.py`.
"""
