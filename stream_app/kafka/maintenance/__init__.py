"""Commands that change or copy an application's state while nobody is at work.

`offline` is what they share. `backup` and `put_back` are the way into files (`archive`) and out of
them; `repartition` and `moving` the way to more partitions; `backfill` and `filling` new features
from old inputs.
"""
