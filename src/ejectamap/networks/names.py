"""Wrong names of architectures, encoders, decoders, losses and the like, and the nearest right ones."""

from collections.abc import Iterable
from difflib import get_close_matches

from ejectamap.errors import SettingsError


def unknown_name(what: str, name: str, known: Iterable[str]) -> SettingsError:
    """Make the error for a name that nobody knows.

    Parameters
    ----------
    what : str
        What the name should be, for the message: "encoder", "loss".
    name : str
        What was asked for.
    known : iterable of str
        Every right name; the message shows the nearest ones, or the first ones if none is near.
    """
    known = list(known)
    by_lower = {right.lower(): right for right in known}
    close = get_close_matches(name.lower(), by_lower, n=4, cutoff=0.5)
    nearest = [by_lower[right] for right in close] or known[:12]
    return SettingsError(f"unknown {what} {name!r}: nearest are {', '.join(nearest)}")
