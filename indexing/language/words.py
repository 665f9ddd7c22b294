"""The words of a text, in any language that puts spaces between them."""

import re
import unicodedata

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")  # noqa: RUF001 - the typographic apostrophe is meant
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")


def words(text: str) -> list[str]:
    """The words and numbers of a text in order, folded to lower case without accents; `1,500` becomes `1500`."""
    folded = text.replace("’", "'")  # noqa: RUF001 - the typographic apostrophe is meant
    if not folded.isascii():
        folded = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    folded = folded.lower()  # last: compatible forms, such as the trade mark sign, decompose into capitals
    return _TOKEN.findall(_THOUSANDS.sub("", folded))
