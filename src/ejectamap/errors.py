"""Every error that a user can meet: one line, which names the file, the field and the remedy.

The command line prints the message and exits with code 2; a program can catch `EjectamapError`, or the kind it mends.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class EjectamapError(Exception):
    """A problem with the user's input; the message is one line and names a remedy.

    A file may have names with line breaks and control characters; the message has blanks in their place.
    """

    def __str__(self) -> str:
        return "".join(letter if letter.isprintable() else " " for letter in super().__str__())


class MosaicError(EjectamapError):
    """The mosaic cannot be used: projection, extent, radius, data."""


class CraterError(EjectamapError):
    """The crater catalogue cannot be used: columns, units, ids, positions."""


class LabelError(EjectamapError):
    """The labels or their tiles cannot be used, or do not fit the mosaic and the craters."""


class SettingsError(EjectamapError):
    """A setting is unknown, or its value is not possible."""


class ProjectError(EjectamapError):
    """The project folder lacks something, or already has something it should not."""


class BundleError(EjectamapError):
    """A saved network is missing, damaged, or made for other inputs."""


class ReleaseError(EjectamapError):
    """A file of a published data set is missing, damaged, or has an impossible value."""


class RankingError(EjectamapError):
    """The maps of a ranking study, or people's choices between them, cannot be used."""


class ArgumentError(EjectamapError, ValueError):
    """An argument of a function of the Python interface is not possible."""


class OutputError(EjectamapError):
    """A result could not be written; nothing half-written was left behind."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> SettingsError:
    """Make the error for a name that is none of some known names.

    Parameters
    ----------
    what : str
        What the name should be, for the message: "encoder", "loss".
    name : str
        The unknown name.
    known : iterable of str
        All known names; the message lists the nearest ones, or the first ones if none is near.
    """
    known = list(known)
    by_lower = {right.lower(): right for right in known}
    close = get_close_matches(name.lower(), by_lower, n=4, cutoff=0.5)
    nearest = [by_lower[right] for right in close] or known[:12]
    return SettingsError(f"unknown {what} {name!r}: nearest are {', '.join(nearest)}")
