"""Learned tags: samples and outcomes in, snapshots of models out, scores from snapshots.

Pure, as the whole core is: no Kafka, no event loop, no clock, no randomness without a seed."""
