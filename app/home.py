"""The directory that holds everything Farthing writes: private to the account that runs it."""

import os
import stat
from pathlib import Path

from app.errors import HomeError

_PRIVATE = 0o700
_OTHERS = 0o077


def check_home(home: Path) -> None:
    """Check that a home, if it exists, belongs to this account alone.

    Raises:
        HomeError: It is not a directory, belongs to somebody else, or others may enter it.
    """
    try:
        status = home.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise HomeError(
            f"{home} cannot be looked into: {error.strerror}. Set FARTHING_HOME to a directory of your own."
        ) from error
    if not stat.S_ISDIR(status.st_mode):
        raise HomeError(f"{home} is not a directory. Move it away, or set FARTHING_HOME to another path.")
    if status.st_uid != os.geteuid():
        raise HomeError(
            f"{home} belongs to user {status.st_uid}, and this process runs as {os.geteuid()}. "
            "Run Farthing as its owner, or set FARTHING_HOME to a directory of your own."
        )
    if status.st_mode & _OTHERS:
        raise HomeError(
            f"Others may enter {home} (mode {stat.S_IMODE(status.st_mode):04o}), and it holds the text of your documents. "
            f"Run: chmod 700 {home}"
        )


def prepare_home(home: Path) -> Path:
    """Make a home with mode 0700 if there is none, and check it.

    Returns:
        The home's absolute path.

    Raises:
        HomeError: It cannot be made, or `check_home` refuses it.
    """
    check_home(home)
    try:
        home.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        home.chmod(_PRIVATE)  # a umask may have taken bits of ours away
    except OSError as error:
        raise HomeError(f"{home} cannot be made: {error.strerror}. Set FARTHING_HOME to a directory of your own.") from error
    return home.resolve()
