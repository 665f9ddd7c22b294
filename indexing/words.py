"""The terms of a text: what BM25-like counting, coverage and document frequencies are made of."""

import re
import threading
import unicodedata
from typing import Final

import Stemmer

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")  # noqa: RUF001 - the typographic apostrophe is meant
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")

STOPWORDS: Final = frozenset(
    """
    a about after all also am an and any anyone are as at be because been before being between both but by came can come
    could did do does doing done each either else ever for from further get gets getting go goes going gonna got had has
    have having he her here hers herself hey hi him himself his how however i if in into is it its itself just know let like
    ll lot make makes many may me might mine more most much must my myself need needs no nor not now of off ok okay on once
    one only or other our ours ourselves out over own please question s same say says see shall she should so some still
    such t tell than thank thanks that the their theirs them themselves then there these they thing things this those though
    through to too under until up us use used using ve very want wants was way we well were what whats when where whether
    which while who whom whose why will with within without would yes yet you your yours yourself yourselves im ive id dont
    doesnt didnt isnt arent cant wont theres
    """.split()
)
"""Words that say how something is asked, not what. Negations stand here too: rules, not counting, look after them."""

_local = threading.local()


def words(text: str) -> list[str]:
    """The words and numbers of a text in order, folded to lower case without accents; `1,500` becomes `1500`."""
    folded = text.replace("’", "'")  # noqa: RUF001 - the typographic apostrophe is meant
    if not folded.isascii():
        folded = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    folded = folded.lower()  # last: compatible forms, such as the trade mark sign, decompose into capitals
    return _TOKEN.findall(_THOUSANDS.sub("", folded))


def terms(text: str) -> list[str]:
    """The stems of a text's content words, in order, with repetition. Numbers stay as they are; function words are left out."""
    return stems([word for word in (token.removesuffix("'s").replace("'", "") for token in words(text)) if word not in STOPWORDS])


def stems(tokens: list[str]) -> list[str]:
    """The English Snowball stem of each token."""
    stemmer = getattr(_local, "stemmer", None)
    if stemmer is None:  # a stemmer may be used by one thread only
        stemmer = _local.stemmer = Stemmer.Stemmer("english")
    result: list[str] = stemmer.stemWords(tokens)
    return result
