"""Groundedness, counted: each sentence of an answer against the units that it cites, without any model.

`indexing.language` turns a text into words and facts, `evidence` into what can be compared, `facts` and `wording` look for what
disagrees, and `checks` decides.
"""

from app.grounding.checks import Check, Support, check_sentence
from app.grounding.evidence import Readings, Source

__all__ = ["Check", "Readings", "Source", "Support", "check_sentence"]
