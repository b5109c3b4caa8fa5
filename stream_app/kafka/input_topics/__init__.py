"""What the tasks read: which partitions of which topics, from where on, and with nothing missing.

`inputs` says what a task reads, `positions` where reading goes on, `bounds` and `passed` that
nothing is jumped over, `lag` how much there is to come; `queue` holds what came until it is folded.
`routing` passes on events of other partitions' users by a topic that is an input like the others,
`purge` deletes them there once they have arrived.
"""
