"""Whether a cached answer still holds: by what it was made, and in the generation that serves."""

from app.caching.entries import CachedAnswer, EntryKind
from app.caching.rules.keys import CacheKeys, Versions
from app.caching.rules.validity import why_changed, why_found_otherwise, why_hidden, why_overtaken
from retrieval.leasing import OpenGeneration
from retrieval.passages import Query


def same_versions(entry: CachedAnswer, keys: CacheKeys) -> bool:
    """Whether an entry is of the same tenant, and was made by what answers are made by now. A ruling stands whatever that is."""
    return entry.tenant == keys.tenant and (entry.kind.is_ruling or made_by(entry) == keys.versions)


def made_by(entry: CachedAnswer) -> Versions:
    """What an entry was made by."""
    return Versions(entry.prompt_version, entry.profile_version, entry.policy_version)


def why_outdated(entry: CachedAnswer, generation: OpenGeneration, *, shared: bool = False) -> str | None:
    """Why an entry does not hold in a generation, in words; `None` when it does. May cost a search, in its reader's rights.

    What a person decided, a pin or a mark, holds as long as the cited pages say the same: it is not for a ranking to overrule.

    Args:
        entry: The entry.
        generation: The generation.
        shared: Whether it was made for other rights: then what ranked as high as what it cites must be found in these, too.

    Raises:
        SearchError: The index engine failed.
    """
    scope = entry.scope
    changed = why_changed(entry, generation.searcher.document_chunks([document.id for document in entry.documents], scope))
    if changed or entry.kind.is_ruling:
        return changed
    query = Query(entry.question, entry.background)
    passages = generation.retriever.retrieve(query, entry.question_vector, scope).passages
    if entry.kind is EntryKind.ABSTENTION:
        return why_found_otherwise(entry, passages)
    return why_overtaken(entry, passages) or (why_hidden(entry, passages) if shared else None)
