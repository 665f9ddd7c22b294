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
    length = len((comment or "").strip())
    if length > MAX_COMMENT_CHARACTERS:
        raise CommandError(f"The comment has {length:,} characters; {MAX_COMMENT_CHARACTERS:,} are kept. Shorten it.")
    marked = bootstrap.build_feedback(load_settings()).take(answer_id.strip(), Verdict(verdict), None, comment)
    noted = [f"Noted: the answer is {verdict}."]
    if marked.pinned:
        noted.append("It is pinned, so the cache gives it on; `farthing cache drop` and `farthing cache pin` change that.")
    elif marked.wordings:
        noted.append("The cache does not give it any more.")
    print(*noted)
    return OK
