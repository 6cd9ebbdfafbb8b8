"""Folders for what Numba and Matplotlib keep between runs, where their own cannot be written.

On a cluster or in a container the program may be installed read-only, and the home folder absent: Numba then refuses
to compile anything, and Matplotlib warns and lists all fonts anew each time. A folder of this user's own among the
temporary files takes the place of theirs.
"""

import os
import stat
import tempfile
from pathlib import Path

_PACKAGE = Path(__file__).parent


def provide_caches() -> None:
    """Set the environment variables of Numba and Matplotlib, unless they are set or the usual folders can be written.

    To be called before the two are imported; processes that this one starts take the variables over.
    """
    home = Path("~").expanduser() if "HOME" in os.environ else None
    cache = _folder("XDG_CACHE_HOME", home, ".cache")
    config = _folder("XDG_CONFIG_HOME", home, ".config")
    if not (_is_writable(_PACKAGE / "world" / "__pycache__") or _is_writable(cache)):
        _provide("NUMBA_CACHE_DIR", "numba")
    if not (_is_writable(cache) and _is_writable(config)):
        _provide("MPLCONFIGDIR", "matplotlib")


def _folder(variable: str, home: Path | None, name: str) -> Path | None:
    """A folder of the user's, from its environment variable or below the home folder."""
    if os.environ.get(variable):
        return Path(os.environ[variable])
    return None if home is None else home / name


def _is_writable(folder: Path | None) -> bool:
    """Whether files can be written into a folder, which is made when it is needed."""
    if folder is None or not folder.is_absolute():
        return False
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _provide(variable: str, name: str) -> None:
    if not os.environ.get(variable):
        os.environ[variable] = str(_private_folder() / name)


def _private_folder() -> Path:
    """A folder that only this user can write, the same in every run; another one where somebody has taken that name.

    What is found there is run: nobody else may have put it there.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"ejectamap-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="ejectamap-"))
    is_own = stat.S_ISDIR(found.st_mode) and user in (found.st_uid, "user")
    if is_own and (os.name == "nt" or not found.st_mode & 0o077):
        return folder
    return Path(tempfile.mkdtemp(prefix="ejectamap-"))
