"""Groundedness, counted: each sentence of an answer against the units that it cites, without any model.

`reading` turns a text into words and facts, `evidence` into what can be compared, `facts` and `wording` look for what disagrees,
and `checks` decides.
"""

from app.answering.grounding.checks import Check, Rarity, Verdict, check_sentence, lexicon_rarity
from app.answering.grounding.evidence import Source

__all__ = ["Check", "Rarity", "Source", "Verdict", "check_sentence", "lexicon_rarity"]
