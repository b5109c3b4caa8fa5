"""The command line: a click group that imports a command's module when the command is used.

A command is a file here that exposes `command`; our own errors become one `error:` line each.
"""

from stream_app.cli.group import main

__all__ = ["main"]
