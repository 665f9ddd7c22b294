"""What people say of answers: it is written down, and a wrong answer is not given again."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from app.caching.reviews import mark_wrong
from app.caching.store import TendedStore
from app.costs.reports import LedgerReader, Verdict


class Feedback:
    """Takes in what people say of answers."""

    def __init__(
        self,
        open_ledger: Callable[[], AbstractContextManager[LedgerReader]],
        open_answers: Callable[[], AbstractContextManager[TendedStore]] | None,
        wrong_s: float,
    ) -> None:
        """Put it together.

        Args:
            open_ledger: Opens the ledger's reports, which take in verdicts: seldom enough to open them each time.
            open_answers: Opens the answer cache; `None` where it is off.
            wrong_s: For how many seconds at most a wrong answer is kept out of the cache.
        """
        self._open_ledger = open_ledger
        self._open_answers = open_answers
        self._wrong_s = wrong_s

    def take(self, answer_id: str, verdict: Verdict, person: str | None, comment: str | None) -> int:
        """Write down what somebody says of an answer, and take a wrong one out of the cache. The last verdict on it counts.

        Returns:
            Under how many wordings it left the cache.

        Raises:
            UnknownEntryError: No entry has this id.
            LedgerError: It cannot be written down.
            AnswerStoreError: It is written down, and the cache cannot be read or written.
        """
        with self._open_ledger() as ledger:
            ledger.add_feedback(answer_id, verdict, person, (comment or "").strip() or None)
        if verdict is not Verdict.WRONG or self._open_answers is None:
            return 0
        with self._open_answers() as store:
            return mark_wrong(store, answer_id, time.time() + self._wrong_s)
