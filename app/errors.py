"""What can go wrong before anything is asked or indexed, and the base of what can go wrong while a question is answered.

AppError
├── SettingsError     a setting is unknown, or its value cannot be used
├── HomeError         the directory for everything Farthing writes cannot be used safely
├── CommandError      a command was called in a way that cannot work
└── BatchFileError    the questions or the answers of a batch cannot be used
AnsweringError        its kinds stand in `access`, `answers`, `generation`, `caching` and `api`

Every message says what happened, to what, and what to do. None of them knows about HTTP or exit codes:
`app/api/errors.py` and `app/cli` translate.
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


class AnsweringError(Exception):
    """Base of the errors between a question and its answer."""
