"""Profiles of which only the warm ones are in memory; the cold ones lie in a local store."""
