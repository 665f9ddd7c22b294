"""What Farthing knows of languages, once: words and stems, sentences, quantities and dates, small words, question forms.

A `Language` is made by its code and handed down to whoever reads text. Its words stand in `vocabulary/`.
"""

from indexing.language.language import ENGLISH, LANGUAGES, Language, language

__all__ = ["ENGLISH", "LANGUAGES", "Language", "language"]
