"""Where cached answers are kept."""

from typing import TYPE_CHECKING, Final

from app.errors import SettingsError
from app.home import check_home
from app.settings import Settings

if TYPE_CHECKING:  # only one of them is imported, and neither where the cache is off
    from app.adapters.disk_answer_store import DiskAnswerStore
    from app.adapters.redis_answer_store import RedisAnswerStore

_ANSWERS: Final = "answers"


def build_answer_store(settings: Settings) -> "DiskAnswerStore | RedisAnswerStore | None":
    """The configured store of answers, or `None` where the cache is off; the caller closes it. Nothing is opened yet.

    Raises:
        HomeError: The home cannot be used safely.
        SettingsError: The server's URL cannot be read.
    """
    if not settings.cache.enabled:
        return None
    if url := settings.cache.url.get_secret_value():
        from app.adapters.redis_answer_store import RedisAnswerStore

        try:
            return RedisAnswerStore(url, settings.cache.max_bytes, settings.cache.timeout_s)
        except ValueError:  # its words may hold a part of the password
            raise SettingsError(
                "`cache.url` cannot be read. Write it as redis://user:password@host:6379/0; in the password, what is neither "
                "letter nor digit is percent-encoded."
            ) from None
    from app.adapters.disk_answer_store import DiskAnswerStore

    check_home(settings.home)
    return DiskAnswerStore(settings.home.resolve() / _ANSWERS, settings.cache.max_bytes)
