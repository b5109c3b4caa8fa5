"""What `stream-app demo` is made of: a Kafka, a worker, real shop data, and a story of its tags.

`run` plays it; the other modules are its parts: place, worker, feed, tally, sampler, screen, words.
"""
