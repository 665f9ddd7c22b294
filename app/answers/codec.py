"""Answers as the bytes that HTTP sends, and back: what the answer cache keeps."""

from decimal import Decimal

from app.answers.answers import Abstention, Answer, Answered, Citation, RelatedPage
from app.answers.shapes import AnswerShape, ReceiptShape, answer_shape
from app.costs.receipts import NaivePrompt, Receipt, ReceiptLine


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
