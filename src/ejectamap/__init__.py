"""One ejecta map per fresh crater, for a whole planet."""

__version__ = "0.1.0"
