"""The group of commands: found as files, imported lazily, with readable errors."""

from __future__ import annotations

import ast
import importlib
import logging
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from stream_app import __version__
from stream_app.cli.errors import EXIT_CODE, explain

# How a file that is a command says so; the others beside it serve the commands.
_IS_COMMAND = re.compile(r"^(def )?command\b", re.MULTILINE)


class Commands(click.Group):
    """Lists the modules beside it; importing only the one that is asked for keeps start short."""

    folder = Path(__file__).parent

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(
            file.stem.replace("_", "-")
            for file in self.folder.glob("*.py")
            if _IS_COMMAND.search(file.read_text())
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"stream_app.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            near = get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by the first line of their modules, without importing them."""
        rows = [(name, self._purpose(name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _purpose(self, name: str) -> str:
        source = (self.folder / f"{name.replace('-', '_')}.py").read_text()
        described = ast.get_docstring(ast.parse(source)) or ""
        first = described.split("\n")[0].split(": ", 1)[-1].rstrip(".")
        return first[:1].upper() + first[1:]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            lines = explain(error)
            if not lines:
                raise
            for line in lines:
                click.echo(f"error: {line}", err=True)
            ctx.exit(EXIT_CODE)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stream-app")
def main() -> None:
    """Tag shop users while they shop: Kafka in, explained tag changes out, exactly once."""
    # What a client logs while Kafka is away is said once, as an error, unless logging is set up.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
