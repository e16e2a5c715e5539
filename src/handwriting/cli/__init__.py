"""The command ``handwriting``.

Commands import what they need when they run, so that ``--help`` answers at once. What a user can
get wrong ends in one line on standard error: exit 2 for wrong usage, 1 for files and data. Anything
else is a bug and keeps its traceback.
"""

from typing import Any

import click

from handwriting import __version__
from handwriting.cli.reading import predict, read
from handwriting.cli.sets import build, datasets, sequence
from handwriting.cli.training import demo, evaluate, export, finetune, train
from handwriting.errors import HandwritingError

__all__ = ["main"]


class _Group(click.Group):
    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BrokenPipeError:
            raise
        except (HandwritingError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="handwriting %(version)s")
def main() -> None:
    """Handwritten characters: datasets, models, training, reading."""


for _command in (
    *(demo, train, finetune, evaluate, export),
    *(predict, read),
    *(datasets, build, sequence),
):
    main.add_command(_command)
