"""The errors a user can cause.

Every message is one line that names the value received and the rule it broke. The command line prints it as
``error: <message>`` and leaves with ``exit_code``.
"""


class SkinTuneError(Exception):
    """Anything the user can mend."""

    exit_code = 2


class ConfigError(SkinTuneError):
    """A hyper-parameter is unknown, of the wrong type or out of range."""


class EnvironmentVariableError(SkinTuneError):
    """A variable of the environment holds what it cannot hold."""


class SourceError(SkinTuneError):
    """Raw photos or labels cannot be read or give no usable pack."""


class PackError(SkinTuneError):
    """A file is not a pack, is of another format, or does not fit the config."""


class PackChangedError(PackError):
    """A pack is not what it was when its run began: nothing that is computed from it would be of that pack."""


class SpaceError(SkinTuneError):
    """A search-space file is malformed."""


class WeightsError(SkinTuneError):
    """Pretrained weights cannot be had or belong to another network."""


class CheckpointError(SkinTuneError):
    """A checkpoint is missing, unreadable or of another model."""


class ExportError(SkinTuneError):
    """A model cannot be exported, or the export does not give what the model gives."""


class ClusterError(SkinTuneError):
    """The cluster cannot give a trial what was asked for."""


class ClusterLostError(ClusterError):
    """The cluster has gone while a run was on it; what has been recorded stands, and can be resumed."""


class ExperimentError(SkinTuneError):
    """An experiment's name is taken, unknown or unusable."""


class StoreError(SkinTuneError):
    """The results store cannot be read or written."""


class SomeRegionsFailedError(SkinTuneError):
    """Some of several regions tuned together have no result."""

    exit_code = 1


class AllTrialsFailedError(SkinTuneError):
    """An experiment ran and not one of its trials gave a result."""

    exit_code = 1


class NothingGradedError(SkinTuneError):
    """Photos were given and not one of them could be graded."""

    exit_code = 1


class AddressError(SkinTuneError):
    """A page cannot be served at the address that was asked for."""
