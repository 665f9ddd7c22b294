"""Which characters of what comes in can be embedded, searched and echoed."""

import unicodedata


def usable_text(text: str) -> str:
    """Make a text fit to be embedded, searched and echoed.

    White space around it is dropped; control characters other than line breaks and tabs, and halves of characters that no
    encoding can carry, become spaces.
    """
    return "".join(" " if _unusable(character) else character for character in text).strip()


def _unusable(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in {"Cc", "Cs"}
