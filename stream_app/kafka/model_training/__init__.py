"""The trainer's process: of several one leads, folds the topic `training` and publishes models.

`trainer` runs it on what `around` says, `leadership` is the group that chooses, `training` the
fold, `lessons` what is learned, `publisher` the transaction of new versions, `model_metrics` their
figures as gauges; `samples` are the users that segments were last sampled from.
"""
