"""`farthing feedback`."""

from app import bootstrap
from app.cli import OK
from app.costs.reports import Verdict
from app.costs.shapes import MAX_COMMENT_CHARACTERS
from app.errors import CommandError
from app.settings import load_settings


def run(answer_id: str, verdict: str, comment: str | None) -> int:
    """Write down what the person says of an answer."""
    if verdict not in set(Verdict):
        raise CommandError(f"{verdict!r} is no verdict. Say right or wrong: farthing feedback ANSWER_ID right")
    said = (comment or "").strip()
    if len(said) > MAX_COMMENT_CHARACTERS:
        raise CommandError(f"The comment has {len(said):,} characters; {MAX_COMMENT_CHARACTERS:,} are kept. Shorten it.")
    settings, answer_id = load_settings(), answer_id.strip()
    with bootstrap.open_ledger_reader(settings) as reader:
        reader.add_feedback(answer_id, Verdict(verdict), None, said or None)
    marked = bootstrap.mark_wrong(settings, answer_id) if verdict == Verdict.WRONG else None
    noted = [f"Noted: the answer is {verdict}."]
    if marked and marked.pinned:
        noted.append("It is pinned, so the cache gives it on; `farthing cache drop` and `farthing cache pin` change that.")
    elif marked and marked.wordings:
        noted.append("The cache does not give it any more.")
    print(*noted)
    return OK
