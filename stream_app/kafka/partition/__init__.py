"""The task of one partition: rounds that fold what came, each committed in one transaction.

`task` and `states` are its life across rebalances, `rounds` its work, `turns` say whose round is
next, `clock` when time may move it, `gaps` whether anything was passed over; `surroundings` is what
it stands on, `report` and `tracing` what is told of it.
"""
