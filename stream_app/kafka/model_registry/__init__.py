"""The topic `models`: which versions there are, which is in use, and who decides that.

`models` reads it, `in_use` compiles what a worker decides by, `shelf` knows what is there and what
has to be written, `pins` and `steering` are what operators may change.
"""
