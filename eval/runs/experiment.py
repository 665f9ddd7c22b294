"""One run: every arm on every case, and what came of it."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeAlias

from app.answering.naive_prompt import INSTRUCTIONS
from app.answers.answers import Answered
from app.costs.pricing import Usage, price_usage
from eval.arms.arms import Arm, Asked, Sent, ask_retrieval
from eval.arms.workbench import Workbench
from eval.datasets.cases import Case
from eval.datasets.quotes import missing_quotes
from eval.measures.answers import citation_precision, is_correct, shown_answer, token_f1
from eval.measures.measures import Outcome, failed_outcome
from eval.measures.ranking import first_occurrences, ndcg_at, recall_at, reciprocal_rank_at

WholeRun: TypeAlias = tuple[list[Outcome], list[Asked]]

_SHORT, _LONG = 5, 10
_UNTIMED: Final = 3
"""Questions asked before the first one that counts, so that nothing is timed while it loads."""


def run_experiment(bench: Workbench, arms: Mapping[str, Arm], on_case: Callable[[], None]) -> WholeRun:
    """Run every arm on every case. A case that raises an error counts as failed, for the arms that it hit.

    Args:
        bench: The dataset, ready.
        arms: The arms by name.
        on_case: Is called after each case.

    Returns:
        The outcomes, case by case and within one in the order of `arms`; and the stored retrieval of the cases that could be
        searched.
    """
    outcomes: list[Outcome] = []
    stored: list[Asked] = []
    if not (
        bench.rungs.small or bench.rungs.strong
    ):  # beside a model's time, what loads on the way is nothing, and it costs money
        for case in bench.dataset.cases[:_UNTIMED]:
            _try_all(bench, arms, case)
    for case in bench.dataset.cases:
        asked, of_case = _try_all(bench, arms, case)
        outcomes += of_case
        stored += [asked] if asked else []
        on_case()
    return outcomes, stored


def _try_all(bench: Workbench, arms: Mapping[str, Arm], case: Case) -> tuple[Asked | None, list[Outcome]]:
    try:
        asked = ask_retrieval(bench, case)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong, the case counts as failed and is listed
        return None, [_failed(name, arm, case, error) for name, arm in arms.items()]
    outcomes = []
    for name, arm in arms.items():
        try:
            outcomes.append(judge(name, case, arm.send(asked), bench))
        except Exception as error:  # noqa: BLE001 - as above
            outcomes.append(_failed(name, arm, case, error))
    return asked, outcomes


def _failed(name: str, arm: Arm, case: Case, error: Exception) -> Outcome:
    return failed_outcome(
        name,
        case.id,
        case.type,
        answerable=case.answerable,
        measures=arm.answer_measures,
        quotes=tuple(case.quotes),
        error=f"{type(error).__name__}: {error}",
    )


def judge(name: str, case: Case, sent: Sent, bench: Workbench) -> Outcome:
    """Measure what an arm sent and answered for one case."""
    missing = tuple(missing_quotes(case.quotes, sent.context))
    values: dict[str, float | None] = {"context_tokens": float(sent.tokens), "latency_ms": sent.ms}
    if case.answerable:
        values |= {"evidence_retention": float(not missing), **_ranking_values(sent.ranking, case)}
    values |= _answer_values(case, sent)
    prompt_usd = _prompt_usd(case.question, sent.tokens, bench)
    answer = sent.answer
    good = None
    if answer is not None:
        good = isinstance(answer, Answered) and values.get("answer_correct") == 1.0 and answer.groundedness == 1.0
    return Outcome(
        arm=name,
        case_id=case.id,
        case_type=case.type,
        answerable=case.answerable,
        values=values,
        cost_usd=_cost_usd(sent, prompt_usd),
        prompt_usd=prompt_usd,
        good=good,
        context=sent.context,
        missing=missing,
        answer=_text(sent),
    )


def _ranking_values(ranking: Sequence[str], case: Case) -> dict[str, float]:
    pages, gold = first_occurrences(ranking), case.gold_documents
    return {
        "recall_at_5": recall_at(_SHORT, pages, gold),
        "recall_at_10": recall_at(_LONG, pages, gold),
        "ndcg_at_10": ndcg_at(_LONG, pages, gold),
        "rr_at_10": reciprocal_rank_at(_LONG, pages, gold),
    }


def _answer_values(case: Case, sent: Sent) -> dict[str, float | None]:
    """The measures of answers that apply to the case; those that the arm cannot be taken by are unknown."""
    of_kind = ("answer_correct", "token_f1", "citation_precision", "abstained_answerable")
    values: dict[str, float | None] = dict.fromkeys(
        ("groundedness", "answer_tokens", *(of_kind if case.answerable else ("abstained_unanswerable",)))
    )
    answer, text = sent.answer, _text(sent)
    if answer is not None:
        values["answer_tokens"] = float(answer.receipt.input_tokens + answer.receipt.output_tokens)
        values["abstained_answerable" if case.answerable else "abstained_unanswerable"] = float(text is None)
    elif sent.plain is not None:
        values["answer_tokens"] = float(sent.plain.tokens)
    else:
        return values
    if isinstance(answer, Answered):
        values["groundedness"] = answer.groundedness
    if case.answerable:
        shown = shown_answer(text or "")
        values |= {"answer_correct": float(bool(text) and is_correct(case, shown)), "token_f1": token_f1(shown, case.answer)}
        if isinstance(answer, Answered):
            values["citation_precision"] = citation_precision(answer.citations, case.evidence)
    return values


def _text(sent: Sent) -> str | None:
    if sent.plain is not None:
        return sent.plain.text
    return sent.answer.text if isinstance(sent.answer, Answered) else None


def _cost_usd(sent: Sent, prompt_usd: Decimal | None) -> Decimal | None:
    if sent.answer is not None:
        return sent.answer.receipt.cost_usd
    return prompt_usd if sent.plain is None else sent.plain.cost_usd


def _prompt_usd(question: str, context_tokens: int, bench: Workbench) -> Decimal | None:
    """What plain instructions, the question and the context would cost with the baseline's model and length of answer."""
    frame = bench.counter.count(INSTRUCTIONS.format(context="", question=question))
    return price_usage(Usage(frame + context_tokens, bench.settings.baseline.output_tokens), bench.price)
