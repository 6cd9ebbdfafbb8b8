"""Every error that a user can meet: one line, which names the file, the field and the remedy.

The command line prints the message and exits with code 2; a program can catch `EjectamapError`, or the kind it mends.
"""


class EjectamapError(Exception):
    """A problem with what the user gave us; the message is one line and says what to do."""


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
    """A file of a published data set is missing, damaged, or says something impossible."""


class RankingError(EjectamapError):
    """The maps of a ranking study, or people's choices between them, cannot be used."""


class OutputError(EjectamapError):
    """A result could not be written; nothing half-written was left behind."""
