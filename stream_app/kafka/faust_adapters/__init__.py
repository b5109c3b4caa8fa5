"""What Faust is given in place of its own parts: it keeps the group and the agents.

`transport` hands whole fetches on, `assignor` gives the inputs to whoever has the changelog's
partition, which `placing` says; `store` shows the tasks' rows as a table; `partitions` makes and
ends tasks as the group assigns them, `service` is the rest of a worker: topics, HTTP, offsets,
reload.
"""
