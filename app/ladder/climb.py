"""The ladder: rungs from the cheapest up, climbed only when the ground check on a draft asks for it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.answers.answers import Draft, DraftSentence, groundedness
from app.answers.events import Decision, Listener, Step, TextPiece
from app.costs.budgets import Restraint
from app.costs.errors import BudgetExhaustedError, CostsError
from app.costs.receipts import Stage, Till
from app.costs.rungs import Rung
from app.generation.accounting import Allowance
from app.generation.calls import CallKind, Calls, FirstCall
from app.generation.endpoints import Completion, Endpoint, Finish, Prompt, Rungs
from app.generation.errors import GenerationError
from app.generation.prompting import (
    PartialReply,
    Reply,
    Statement,
    answer_prompt,
    judge_prompt,
    prompts_version,
    read_reply,
    read_verdicts,
    repair_prompt,
)
from app.grounding import Support
from app.ladder.checking import CheckedSentence, check_reply, judged, unsure_statements
from app.ladder.extraction import extract
from app.ladder.routing import Route, choose_first_rung, why_not_climb
from indexing.language.question_form import QuestionForm
from indexing.tokens import TokenCounter
from retrieval.context import ContextSettings
from retrieval.lexicon import Rarity
from retrieval.passages import Context
from retrieval.recent import Recent
from retrieval.rendering import render
from retrieval.retriever import Evidence
from retrieval.selection import WIDE, SelectionSettings
from retrieval.weights import Weights

_ANSWER_TOKENS: Final = 300
_JUDGE_TOKENS: Final = 16
_JUDGE_TOKENS_EACH: Final = 4
_VERDICTS: Final = 2_048


@dataclass(frozen=True, slots=True)
class LadderSettings:
    """What the settings say of the ladder.

    `wide_budget_tokens` is the most context on the wide rung. From the probability `extractive_from` on,
    verbatim units answer before a model is asked. `judge` has unsure sentences judged by a model, in one call.
    """

    wide_budget_tokens: int
    extractive_from: float
    judge: bool


@dataclass(frozen=True, slots=True)
class Task:
    """One question with its evidence, and how much the budget still allows."""

    question: str
    evidence: Evidence
    context: Context
    context_settings: ContextSettings
    rarity: Rarity
    allowance: Allowance


@dataclass(frozen=True, slots=True)
class Climbed:
    """How a climb ended: the draft that was kept, or none; on which rung, over which rungs, and why at each.

    `groundedness` is the share of the draft's sentences that are supported, 0 without a draft. `context` is what the kept draft
    was made from. `held_back` is the budget's refusal where one kept a model from being asked.
    """

    draft: Draft | None
    rung: str
    path: tuple[str, ...]
    steps: tuple[Step, ...]
    groundedness: float
    context: Context
    held_back: BudgetExhaustedError | None


@dataclass(frozen=True, slots=True)
class _Attempt:
    rung: str
    endpoints: Sequence[Endpoint]
    wide: bool


class Ladder:
    """Climbs. Safe to use from several threads."""

    def __init__(self, rungs: Rungs, settings: LadderSettings, weights: Weights, counter: TokenCounter) -> None:
        self._rungs = rungs
        self._settings = settings
        self._weights = weights
        self._counter = counter
        self._verdicts: Recent[bytes, bool] = Recent(_VERDICTS)

    def known_verdicts(self, statements: Sequence[Statement]) -> list[bool | None]:
        """What a model has lately judged of statements and quotes, in order; `None` of what it was not asked."""
        return [self._verdicts.get(self._verdict_key(one)) for one in statements]

    def keep_verdicts(self, statements: Sequence[Statement], verdicts: Sequence[bool]) -> None:
        """Remember what a model has judged."""
        for statement, verdict in zip(statements, verdicts, strict=True):
            self._verdicts.add(self._verdict_key(statement), verdict)

    def _verdict_key(self, statement: Statement) -> bytes:
        """A hash, so that the words of an erased page stay in no memory."""
        models = [endpoint.model for endpoint in self.judges]
        return hashlib.sha256(repr((statement, prompts_version(), models)).encode()).digest()

    @property
    def has_models(self) -> bool:
        """Whether any rung calls a model."""
        return bool(self._rungs.cheapest)

    def climb(self, task: Task, calls: Calls, till: Till, tell: Listener) -> Climbed:
        """Answer from the evidence, or from nothing.

        Args:
            task: The question and its evidence.
            calls: Calls the models, and bills them.
            till: Takes the time of what is free.
            tell: Is told each step, and text as it is written.
        """
        with till.free(Stage.GENERATE, Rung.EXTRACTIVE):
            verbatim = extract(task.evidence, task.context, self._weights)
        climb = _Climb(self, task, calls, till, tell)
        route, attempts = self._begin(task, verbatim)
        if attempts:
            return climb.run(attempts, route, verbatim)
        if verbatim:
            return climb.keep_verbatim(verbatim, route.reason if route.first == Rung.EXTRACTIVE else "no model is asked")
        return climb.abstain("the evidence does not carry an answer, and no model is asked")

    def first_call(self, task: Task) -> FirstCall | None:
        """The call that a climb would begin with, or `None` when it would call no model."""
        _, attempts = self._begin(task, extract(task.evidence, task.context, self._weights))
        if not attempts:
            return None
        return FirstCall(CallKind(Stage.GENERATE, attempts[0].rung, _ANSWER_TOKENS), _prompt(task, task.context))

    def _begin(self, task: Task, verbatim: Draft | None) -> tuple[Route, list[_Attempt]]:
        """The route, and the rungs with models to try; none where the verbatim units are enough, or no model may be asked."""
        route = choose_first_rung(task.evidence, task.context, verbatim, self._weights, self._settings.extractive_from)
        return route, [] if route.first == Rung.EXTRACTIVE else self._attempts(task.allowance.restraint)

    def _attempts(self, restraint: Restraint) -> list[_Attempt]:
        """The rungs that may be tried, from the cheapest up."""
        if restraint >= Restraint.FREE_ONLY:
            return []
        small, strong = self._rungs.small, self._rungs.strong
        attempts = []
        if small:
            attempts.append(_Attempt(Rung.SMALL, small, wide=False))
        if small and restraint < Restraint.COMPRESSED_ONLY:
            attempts.append(_Attempt(Rung.SMALL_WIDE, small, wide=True))
        if strong and (restraint < Restraint.SMALL_ONLY or not small):
            attempts.append(_Attempt(Rung.STRONG, strong, wide=False))
        return attempts

    def wide_context(self, task: Task) -> Context:
        """More of the evidence: more passages, and room for them."""
        plain = task.context_settings
        selection = replace(plain.selection, ceilings=dict.fromkeys(QuestionForm, WIDE))
        budget_tokens = max(self._settings.wide_budget_tokens, plain.budget_tokens)
        wide = replace(plain, budget_tokens=budget_tokens, selection=_ungapped(selection))
        return wide.make_context(task.evidence, self._weights, self._counter)

    @property
    def judges(self) -> Sequence[Endpoint]:
        """The endpoints of the cheapest rung, where judging is switched on."""
        return self._rungs.cheapest if self._settings.judge else ()


class _Climb:
    """One climb, step by step."""

    def __init__(self, ladder: Ladder, task: Task, calls: Calls, till: Till, tell: Listener) -> None:
        self._ladder = ladder
        self._task = task
        self._calls = calls
        self._till = till
        self._tell = tell
        self._steps: list[Step] = []
        self._path: list[str] = []
        self._best: tuple[str, Context, list[CheckedSentence]] | None = None
        self._insufficient = False
        self._held_back: BudgetExhaustedError | None = None

    def run(self, attempts: Sequence[_Attempt], route: Route, verbatim: Draft | None) -> Climbed:
        """Try the rungs in order; fall back to what is free when a model cannot be asked."""
        reason = route.reason
        tried: Context | None = None
        for attempt in attempts:
            doubted = self._insufficient or self._best is not None
            if doubted and (why_not := why_not_climb(attempt.rung, route.answerable)):
                self._step(attempt.rung, Decision.SKIP, why_not)
                continue
            context = self._context(attempt)
            if attempt.rung == Rung.SMALL_WIDE and tried is not None and tried.text == context.text:
                self._step(attempt.rung, Decision.SKIP, "there is no more evidence than was read already")
                continue
            try:
                kept = self._attempt(attempt, context, reason)
            except GenerationError:
                return self._fall_back(verbatim, f"no endpoint of the rung {attempt.rung} answered")
            except BudgetExhaustedError as error:
                self._held_back = error
                self._till.note(str(error))
                return self._fall_back(verbatim, "the budget has no room for it")
            except CostsError:
                self._till.note("The ledger cannot be written, so no model was asked.")
                return self._fall_back(verbatim, "the ledger cannot be written")
            if kept:
                return kept
            tried, reason = context, self._steps[-1].reason
        return self._at_the_top(verbatim)

    def keep_verbatim(self, draft: Draft, reason: str) -> Climbed:
        """End with the verbatim units."""
        self._path.append(Rung.EXTRACTIVE)
        self._step(Rung.EXTRACTIVE, Decision.KEEP, reason)
        return self._end(draft, Rung.EXTRACTIVE, groundedness(draft), self._task.context)

    def abstain(self, reason: str) -> Climbed:
        """End without an answer."""
        self._step(Rung.ABSTAIN, Decision.ABSTAIN, reason)
        return self._end(None, Rung.ABSTAIN, 0.0, self._task.context)

    def _context(self, attempt: _Attempt) -> Context:
        if not attempt.wide:
            return self._task.context
        with self._till.free(Stage.CONTEXT, attempt.rung):
            return self._ladder.wide_context(self._task)

    def _attempt(self, attempt: _Attempt, context: Context, reason: str) -> Climbed | None:
        """Have one rung answer; `None` when its draft cannot be kept."""
        self._path.append(attempt.rung)
        self._step(attempt.rung, Decision.TRY, reason)
        reply = self._reply(attempt, context)
        if reply is None:
            self._step(attempt.rung, Decision.CLIMB, "its reply was not in the form that was asked for")
            return None
        self._insufficient = not reply.sentences
        if self._insufficient:
            self._step(attempt.rung, Decision.CLIMB, "the model says that the units do not answer the question")
            return None
        with self._till.free(Stage.GROUND, attempt.rung):
            checked = check_reply(reply, context, self._task.evidence, self._task.rarity, self._task.question)
        checked = self._judge(checked, attempt.rung)
        wrong = next((one for one in checked if one.check.support is Support.UNSUPPORTED), None)
        self._best = (attempt.rung, context, checked)
        if wrong is None:
            return self._keep(f"every sentence rests on what it cites ({_count(checked)})")
        self._step(attempt.rung, Decision.CLIMB, f"a sentence is not supported: {wrong.check.reason}")
        return None

    def _reply(self, attempt: _Attempt, context: Context) -> Reply | None:
        kind = CallKind(Stage.GENERATE, attempt.rung, _ANSWER_TOKENS)
        completion = self._ask(kind, attempt.endpoints, _prompt(self._task, context))
        reply = read_reply(completion.text, cut=completion.finish is Finish.LENGTH)
        if reply is None and completion.finish is Finish.STOP and completion.text.strip():
            completion = self._ask(kind, attempt.endpoints, repair_prompt(completion.text), shown=False)
            reply = read_reply(completion.text, cut=completion.finish is Finish.LENGTH)
        return reply

    def _ask(self, kind: CallKind, endpoints: Sequence[Endpoint], prompt: Prompt, *, shown: bool = True) -> Completion:
        partial = PartialReply()

        def on_text(piece: str) -> None:
            if shown and (added := partial.feed(piece)):
                self._tell(TextPiece(added))

        def on_failure(endpoint: Endpoint, error: GenerationError) -> None:
            nonlocal partial
            partial = PartialReply()
            self._step(kind.rung, Decision.FAIL, f"{endpoint.name}: {error}")

        return self._calls.ask(kind, endpoints, prompt, on_text, on_failure)

    def _judge(self, checked: list[CheckedSentence], rung: str) -> list[CheckedSentence]:
        """Have the unsure sentences judged in one call; they stay unsure where nobody can be asked."""
        statements = unsure_statements(checked)
        if not statements or not self._ladder.judges or any(one.check.support is Support.UNSUPPORTED for one in checked):
            return checked
        known = self._ladder.known_verdicts(statements)
        if open_ones := [one for one, verdict in zip(statements, known, strict=True) if verdict is None]:
            kind = CallKind(Stage.JUDGE, rung, _JUDGE_TOKENS + _JUDGE_TOKENS_EACH * len(open_ones))
            try:
                completion = self._ask(kind, self._ladder.judges, judge_prompt(open_ones), shown=False)
            except (GenerationError, CostsError):
                return checked
            verdicts = read_verdicts(completion.text, len(open_ones))
            if not verdicts:
                return checked
            self._ladder.keep_verdicts(open_ones, verdicts)
            left = iter(verdicts)
            known = [next(left) if verdict is None else verdict for verdict in known]
        return judged(checked, [bool(verdict) for verdict in known])

    def _keep(self, reason: str) -> Climbed:
        """End with the best draft, without the sentences that nothing supports; without any left, abstain."""
        if self._best is None:
            return self.abstain(reason)
        rung, context, checked = self._best
        # Of a draft that said something wrong, what nobody is sure of is not worth keeping.
        whole = all(one.check.support is not Support.UNSUPPORTED for one in checked)
        kept = [one for one in checked if whole or one.check.support is Support.SUPPORTED]
        if not kept:
            return self.abstain("no sentence of the draft is supported")
        self._step(rung, Decision.KEEP, reason)
        draft = Draft(tuple(DraftSentence(one.text, one.units) for one in kept))
        supported = sum(one.check.support is Support.SUPPORTED for one in kept)
        return self._end(draft, rung, supported / len(kept), context)

    def _at_the_top(self, verbatim: Draft | None) -> Climbed:
        if self._insufficient:
            return self.abstain("the models found no answer in the evidence")
        if self._best is None:  # says nothing of the evidence, and another time they may
            why = "no model replied in the form that was asked for"
            self._step(self._path[-1], Decision.FAIL, why)
            return self._fall_back(verbatim, why)
        return self._keep("no higher rung is worth asking; what is not supported was left out")

    def _fall_back(self, verbatim: Draft | None, why: str) -> Climbed:
        """A model could not be asked: the draft that there is, else the verbatim units, else the closest pages."""
        if self._insufficient:
            return self.abstain(f"{why}, and the rung below found no answer")
        if self._best is not None:
            return self._keep(f"{why}; the supported part of the draft from below was kept")
        if verbatim is not None:
            return self.keep_verbatim(verbatim, why)
        return self.abstain(f"{why}, and verbatim units do not answer the question")

    def _end(self, draft: Draft | None, rung: str, grounded: float, context: Context) -> Climbed:
        return Climbed(draft, rung, tuple(self._path), tuple(self._steps), grounded, context, self._held_back)

    def _step(self, rung: str, decision: Decision, reason: str) -> None:
        step = Step(rung, decision, reason)
        self._steps.append(step)
        self._tell(step)


def _prompt(task: Task, context: Context) -> Prompt:
    units = render(context.units, task.evidence.analysed, numbered=True)
    return answer_prompt(units, task.question, task.evidence.query.background)


def _ungapped(selection: SelectionSettings) -> SelectionSettings:
    return replace(selection, max_score_gap=float("inf"))


def _count(checked: Sequence[CheckedSentence]) -> str:
    unsure = sum(one.check.support is Support.UNSURE for one in checked)
    return f"{len(checked) - unsure} of {len(checked)} sentences supported" if unsure else f"{len(checked)} supported"
