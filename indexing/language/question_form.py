"""What kind of answer a question wants."""

from enum import StrEnum


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
