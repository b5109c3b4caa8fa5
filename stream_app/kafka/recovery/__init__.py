"""A partition's state read back from its changelog.

`restore` reads it into profiles, with `local` from where the local store ends, by a `reader` into
`copies`; `standing` tells how the other partitions of the changelog stand. `standbys` are the
partitions that it follows, each a `standby`, while other workers own them.
"""
