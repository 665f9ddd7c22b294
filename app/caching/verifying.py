"""Having the cheapest model say, in one word, whether a cached answer is also a new question's."""

from collections.abc import Sequence
from typing import Final

from app.caching.cache import Doubtful, Hit, HitKind
from app.costs.errors import CostsError
from app.costs.receipts import Stage
from app.costs.rungs import Rung
from app.generation.calls import CallKind, Calls
from app.generation.endpoints import Endpoint
from app.generation.errors import GenerationError
from app.generation.prompting import read_yes, verify_prompt

_VERIFY: Final = CallKind(Stage.VERIFY, Rung.CACHE, max_output_tokens=2)


def verify(near: Doubtful, question: str, endpoints: Sequence[Endpoint], calls: Calls) -> Hit | None:
    """The cached answer as a hit, if a model says that it is also the new question's; `None` unless it does.

    Args:
        near: The cached answer.
        question: The new question.
        endpoints: Those of the cheapest rung; at least one.
        calls: Asks them, and bills it.
    """
    quotes = [citation.quote for citation in near.answer.citations]
    prompt = verify_prompt(near.entry.question, near.answer.text, quotes, question)
    try:
        completion = calls.ask(_VERIFY, endpoints, prompt, lambda _: None, lambda *_: None)
    except (GenerationError, CostsError):
        return None
    if not read_yes(completion.text):
        return None
    return Hit(near.entry, HitKind.VERIFIED, "a model says that it asks the same as a question before")
