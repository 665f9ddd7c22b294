"""What people say of answers: it is written down, and a wrong answer is not given again."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from app.caching.reviews import Marked, mark_wrong
from app.caching.store import TendedStore
from app.costs.reports import LedgerReader, Verdict
from indexing.language import Language


class Feedback:
    """Takes in what people say of answers."""

    def __init__(
        self,
        open_ledger: Callable[[], AbstractContextManager[LedgerReader]],
        open_answers: Callable[[], AbstractContextManager[TendedStore]] | None,
        wrong_s: float,
        language: Language,
    ) -> None:
        """Put it together.

        Args:
            open_ledger: Opens the ledger's reports, which take in verdicts: seldom enough to open them each time.
            open_answers: Opens the answer cache; `None` where it is off.
            wrong_s: For how many seconds at most a wrong answer is kept out of the cache.
            language: That of the questions.
        """
        self._open_ledger = open_ledger
        self._open_answers = open_answers
        self._wrong_s = wrong_s
        self._language = language

    def take(self, answer_id: str, verdict: Verdict, person: str | None, comment: str | None) -> Marked:
        """Write down what somebody says of an answer, and take a wrong one out of the cache, unless it is pinned.

        The last verdict on it counts.

        Returns:
            What became of it in the cache.

        Raises:
            UnknownEntryError: No entry has this id.
            LedgerError: It cannot be written down.
            AnswerStoreError: It is written down, and the cache cannot be read or written.
        """
        with self._open_ledger() as ledger:
            ledger.add_feedback(answer_id, verdict, person, (comment or "").strip() or None)
        if verdict is not Verdict.WRONG or self._open_answers is None:
            return Marked(0, pinned=False)
        with self._open_answers() as store:
            return mark_wrong(store, answer_id, time.time() + self._wrong_s, self._language)
