"""Answers as the bytes that HTTP sends, and back: what the answer cache keeps."""

import json
from decimal import Decimal
from typing import Final

from app.answers.answers import Abstention, Answer, Answered, Citation, RelatedPage
from app.answers.shapes import AnswerShape, ReceiptShape, answer_shape
from app.costs.receipts import NaivePrompt, Receipt, ReceiptLine

_QUESTION: Final = b',"question":'
_AFTER_QUESTION: Final = b',"outcome":'
"""What stands around the question in a body. No string in JSON can hold it, since its quotes would be escaped."""

_MS: Final = b'"ms":'
_UNTIMED: Final = _MS + b"0.0"
"""How the times of a receipt stand in a body that is kept, until it is given."""


class JsonAnswers:
    """`AnswerCodec` over the JSON of HTTP. The steps of an answer are not a part of it."""

    def encode(self, answer: Answer) -> bytes:
        """The bytes of an answer."""
        return answer_shape(answer).model_dump_json(exclude_unset=True).encode()

    def decode(self, body: bytes) -> Answer:
        """The answer that bytes hold. Raises `ValueError` when they hold none."""
        shape = AnswerShape.model_validate_json(body)
        receipt = _receipt(shape.receipt)
        if shape.outcome == "abstained":
            related = tuple(RelatedPage(page.document, page.title, page.uri) for page in shape.related)
            return Abstention(shape.id, shape.question, shape.generation, receipt, (), related)
        return Answered(
            id=shape.id,
            question=shape.question,
            generation=shape.generation,
            receipt=receipt,
            steps=(),
            text=shape.answer,
            citations=tuple(
                Citation(one.n, one.document, one.title, tuple(one.heading_path), one.quote, one.uri, one.lines)
                for one in shape.citations
            ),
            rung=shape.rung,
            groundedness=shape.groundedness or 0.0,
        )

    def parts(self, body: bytes, question: str) -> tuple[bytes, ...]:
        """The bytes of a kept answer, to another wording of its question, cut where the milliseconds of giving it belong."""
        head, tail = body[: body.index(_QUESTION)], body[body.index(_AFTER_QUESTION) :]
        asked = head + _QUESTION + json.dumps(question, ensure_ascii=False).encode() + tail
        *timed, rest = asked.split(_UNTIMED)
        return (*(part + _MS for part in timed), rest)


def _receipt(shape: ReceiptShape) -> Receipt:
    lines = tuple(
        ReceiptLine(
            stage=line.stage,
            input_tokens=line.input_tokens,
            output_tokens=line.output_tokens,
            cost_usd=_usd(line.cost_usd),
            ms=line.ms,
            cached_input_tokens=line.cached_input_tokens,
            rung=line.rung,
            model=line.model,
            estimated=line.estimated,
        )
        for line in shape.lines
    )
    baseline = NaivePrompt(shape.baseline_input_tokens, _usd(shape.baseline_cost_usd))
    return Receipt(lines, baseline, shape.ms, tuple(shape.notes))


def _usd(amount: str | None) -> Decimal | None:
    return None if amount is None else Decimal(amount)
