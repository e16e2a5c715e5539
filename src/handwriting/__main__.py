"""``python -m handwriting`` is the command ``handwriting``."""

from handwriting.cli import main

main(prog_name="handwriting")
