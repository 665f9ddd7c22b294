"""What can go wrong before anything is asked or indexed.

AppError
├── SettingsError     a setting is unknown, or its value cannot be used
├── HomeError         the directory for everything Farthing writes cannot be used safely
├── CommandError      a command was called in a way that cannot work
└── BatchFileError    the questions or the answers of a batch cannot be used
"""


class AppError(Exception):
    """Base of the errors of starting up. The message says what to do."""


class SettingsError(AppError):
    """The settings cannot be used. The message names the key, where it stands, and what is expected."""


class HomeError(AppError):
    """The home directory cannot be used safely."""


class CommandError(AppError):
    """A command was called in a way that cannot work."""


class BatchFileError(AppError):
    """The questions or the answers of a batch cannot be used. The message names the file, and the line where there is one."""
