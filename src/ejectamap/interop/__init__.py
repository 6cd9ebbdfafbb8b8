"""Other people's data in, and ours out."""

from ejectamap.interop.ejmap import import_ejmap

__all__ = ["import_ejmap"]
