"""The JSON of every surface: what is read, and what is written. The command line prints the same shapes."""

from typing import Any, Literal

from pydantic import Field

from app.answers.answers import Abstention, Answer, Citation
from app.answers.conversation import Conversation
from app.answers.events import Decision, Step
from app.costs.pricing import plain_usd
from app.costs.receipts import Receipt, Stage
from app.costs.rungs import Rung
from app.costs.shapes import Shape

NO_ANSWER = "Nothing in the documents that you may read answers this question."


class ConversationShape(Shape):
    """What came before a follow-up: the question, and title and heading path of the first citation of its answer.

    All together may have 120 tokens. After an abstention there is only the question.
    """

    question: str
    title: str = ""
    heading_path: list[str] = Field([], max_length=100)


class AskRequest(Shape):
    """A question, and the access labels that the caller claims; without any, `everyone`. `conversation` goes with a follow-up.

    `explain` asks for the reason of each step; `stream` for server-sent events in place of one JSON object.
    """

    question: str
    labels: list[str] = Field([], max_length=100)
    conversation: ConversationShape | None = None
    explain: bool = False
    stream: bool = False


class CitationShape(Shape):
    """What a mark `[n]` points to: a unit of a document, verbatim."""

    n: int
    document: str
    title: str
    heading_path: list[str]
    quote: str
    uri: str
    lines: tuple[int, int] | None


class RelatedShape(Shape):
    """A page that came close."""

    document: str
    title: str
    uri: str


class ReceiptLineShape(Shape):
    """One step of the bill. Amounts are plain decimals in US dollars; `null` is unknown.

    `estimated` marks tokens that Farthing counted because the provider did not say.
    """

    stage: Stage
    rung: str | None = None
    model: str | None = None
    input_tokens: int
    cached_input_tokens: int = 0
    output_tokens: int
    cost_usd: str | None
    estimated: bool = False
    ms: float


class ReceiptShape(Shape):
    """The bill, beside the naive prompt for the same question."""

    lines: list[ReceiptLineShape]
    input_tokens: int
    output_tokens: int
    cost_usd: str | None
    baseline_input_tokens: int
    baseline_cost_usd: str | None
    saved_usd: str | None
    ms: float
    notes: list[str] = Field([])


class StepShape(Shape):
    """What was decided on a rung, and why."""

    rung: str
    decision: Decision
    reason: str


class StatusEvent(StepShape):
    """A step while it is taken. `withdraws_text`: what was sent as text before is no part of the answer."""

    withdraws_text: bool


class TextEvent(Shape):
    """A piece of the answer as it is written. The answer with its marks comes with the citations, and replaces it."""

    text: str


class AnswerShape(Shape):
    """An answer with citations and receipt, or an abstention with the closest pages; `explanation` when it was asked for."""

    id: str
    question: str
    outcome: Literal["answered", "abstained"]
    answer: str
    citations: list[CitationShape]
    related: list[RelatedShape]
    rung: str
    groundedness: float | None
    generation: str
    receipt: ReceiptShape
    explanation: list[StepShape] | None = None


def conversation(shape: ConversationShape | None) -> Conversation | None:
    """What came before a follow-up, as the service takes it."""
    return Conversation(shape.question, shape.title, tuple(shape.heading_path)) if shape else None


def answer_shape(answer: Answer, *, explain: bool = False, local: bool = False) -> AnswerShape:
    """An answer as every surface writes it, with the reason of each step when it was asked for; `local` as in `step_shape`."""
    # Left unset, and so unwritten, unless it was asked for.
    asked: dict[str, Any] = {"explanation": [step_shape(step, local=local) for step in answer.steps]} if explain else {}
    if isinstance(answer, Abstention):
        return AnswerShape(
            id=answer.id,
            question=answer.question,
            outcome="abstained",
            answer=NO_ANSWER,
            citations=[],
            related=[RelatedShape(document=page.document, title=page.title, uri=page.uri) for page in answer.related],
            rung=Rung.ABSTAIN,
            groundedness=None,
            generation=answer.generation,
            receipt=receipt_shape(answer.receipt),
            **asked,
        )
    return AnswerShape(
        id=answer.id,
        question=answer.question,
        outcome="answered",
        answer=answer.text,
        citations=[_citation_shape(citation) for citation in answer.citations],
        related=[],
        rung=answer.rung,
        groundedness=answer.groundedness,
        generation=answer.generation,
        receipt=receipt_shape(answer.receipt),
        **asked,
    )


def step_shape(step: Step, *, local: bool = False) -> StepShape:
    """A step as every surface writes it. How an endpoint failed, in its provider's words, is only for who is on this machine."""
    reason = step.reason
    if step.decision is Decision.FAIL and not local:
        reason = f"{reason.partition(':')[0]}: failed; the service's log says how"
    return StepShape(rung=step.rung, decision=step.decision, reason=reason)


def receipt_shape(receipt: Receipt) -> ReceiptShape:
    """A receipt as every surface writes it. Times are rounded to a hundredth of a millisecond; amounts are exact."""
    return ReceiptShape(
        lines=[
            ReceiptLineShape(
                stage=line.stage,
                rung=line.rung,
                model=line.model,
                input_tokens=line.input_tokens,
                cached_input_tokens=line.cached_input_tokens,
                output_tokens=line.output_tokens,
                cost_usd=plain_usd(line.cost_usd),
                estimated=line.estimated,
                ms=round(line.ms, 2),
            )
            for line in receipt.lines
        ],
        input_tokens=receipt.input_tokens,
        output_tokens=receipt.output_tokens,
        cost_usd=plain_usd(receipt.cost_usd),
        baseline_input_tokens=receipt.baseline.input_tokens,
        baseline_cost_usd=plain_usd(receipt.baseline.cost_usd),
        saved_usd=plain_usd(receipt.saved_usd),
        ms=round(receipt.ms, 2),
        notes=list(receipt.notes),
    )


def _citation_shape(citation: Citation) -> CitationShape:
    return CitationShape(
        n=citation.n,
        document=citation.document,
        title=citation.title,
        heading_path=list(citation.heading_path),
        quote=citation.quote,
        uri=citation.uri,
        lines=citation.lines,
    )
