"""What kind of answer a question wants, read from its words alone."""

import re
from enum import StrEnum
from typing import Final


class QuestionForm(StrEnum):
    """The kind of answer that is wanted; it sets how wide retrieval goes and which units look like answers."""

    LIST = "list"
    COMPARISON = "comparison"
    PROCEDURE = "procedure"
    NUMBER = "number"
    CONTACT = "contact"
    YES_NO = "yes_no"
    DEFINITION = "definition"
    FACT = "fact"


_AUXILIARY: Final = "is|are|am|was|were|do|does|did|can|could|should|would|will|may|must|has|have"
_RULES: Final = (
    (QuestionForm.COMPARISON, r"\b(difference|differ|compared?|comparison|versus|vs\.?|better than|instead of|rather than)\b"),
    (QuestionForm.LIST, r"\b(list|types of|kinds of|all (?:of )?the|examples of|requirements|criteria|what are|what \w+ are)\b"),
    (QuestionForm.LIST, r"\b(which (?:\w+ ){0,3}(?:are|do|can|have)|what (?:two|three|four|five|six|seven|\d+))\b"),
    (QuestionForm.LIST, r"\bwhat (?:\w+ ){0,2}\w+s (?:are|do|does|can|should|must|have)\b"),
    (QuestionForm.NUMBER, r"\b(how (?:many|much|long|often|far|soon|old|big|large|late|early|fast|quickly|high)|when)\b"),
    (QuestionForm.NUMBER, r"\bwhat (?:time|date|day|year|percent|percentage|amount|number)\b"),
    (QuestionForm.NUMBER, r"\b(limit|cap|rate|max|min|maximum|minimum|deadline|cost|price|number of)\b"),
    (QuestionForm.CONTACT, r"\b(who|whom|contact|e-?mail|slack|channel|phone|reach|link|url|website)\b"),
    (QuestionForm.PROCEDURE, r"\b(how (?:do|can|should|would|to|does)|steps?|process|procedure|what should i do|where do i)\b"),
    (QuestionForm.YES_NO, rf"^\W*(?:(?:so|and|but|hi|hey|also|ok)\W+)*(?:{_AUXILIARY})\b"),
    (QuestionForm.YES_NO, rf",\s*(?:{_AUXILIARY}) (?:i|we|it|they|my|there|that|this|you)\b"),
    (
        QuestionForm.DEFINITION,
        r"\b(what(?:'s| is| does) (?:an? |the )?[\w -]{2,40}(?: mean| stand for)?\??$|meaning of|defin\w+)",
    ),
)
_COMPILED: Final = tuple((form, re.compile(pattern, re.IGNORECASE)) for form, pattern in _RULES)


def question_form(question: str) -> QuestionForm:
    """The first form whose rule matches, from the widest to the narrowest; `FACT` when none does."""
    return next((form for form, pattern in _COMPILED if pattern.search(question)), QuestionForm.FACT)
