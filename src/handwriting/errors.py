"""The three exceptions of the package.

A wrong *argument* raises a plain ``ValueError`` or ``TypeError``. These three are for what comes
from outside the program: files, downloads, the disk.
"""

__all__ = ["CorruptFileError", "HandwritingError", "MissingDataError"]


class HandwritingError(Exception):
    """Root of the package's own exceptions."""


class CorruptFileError(HandwritingError, ValueError):
    """A file cannot be used: damaged, not what its name promises, or over a stated limit."""


class MissingDataError(HandwritingError, FileNotFoundError):
    """A file is not on disk and could not be fetched; the message says how to get it."""
