"""Checks of settings that are more than a range or a pattern."""

import re
from urllib.parse import urlsplit

from pydantic import SecretStr

from indexing.language import LANGUAGES


def header_value(key: SecretStr) -> SecretStr:
    """Check that a key can stand in a header. Raises `ValueError`."""
    value = key.get_secret_value()
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("a key is printable ASCII without spaces")
    return key


def usd_amount(amount: object) -> object:
    """Check an amount of money: text, because a float would not be exact. Raises `ValueError`."""
    if not isinstance(amount, str) or not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,12})?", amount):
        raise ValueError(
            'an amount in US dollars stands in quotes, below 10 million with at most twelve decimals, as in "200.00"'
        )
    return amount


def endpoint_url(url: str) -> str:
    """Check the address of an endpoint. Raises `ValueError`."""
    parts = urlsplit(url)
    usable = re.fullmatch(r"[\w.:-]+", parts.hostname or "", re.ASCII) and "@" not in url and re.fullmatch(r"[!-~]+", url)
    if not usable or parts.scheme not in {"http", "https"} or parts.port == 0:  # reading the port checks it
        raise ValueError("an address is written like https://api.openai.com/v1, without a user name")
    return url


def postgresql_url(url: SecretStr) -> SecretStr:
    """Check the URL of a ledger's server; empty for none. Raises `ValueError`."""
    if url.get_secret_value() and not url.get_secret_value().startswith("postgresql://"):
        raise ValueError("a ledger's URL begins with postgresql://, or is empty")
    return url


def redis_url(url: SecretStr) -> SecretStr:
    """Check the URL of a Redis server; empty for none. Raises `ValueError`."""
    if url.get_secret_value() and not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("the URL of a Redis server begins with redis://, rediss:// or unix://, or is empty")
    return url


def language_code(code: str) -> str:
    """Check that a language is known. Raises `ValueError`."""
    if code not in LANGUAGES:
        raise ValueError(f"there are {', '.join(LANGUAGES)}")
    return code
