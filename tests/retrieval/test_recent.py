"""What is kept for a while, and with whom it goes."""

import gc
import threading
import weakref

from retrieval.recent import Recent, RecentOf


class Thing:
    """An owner, or what is kept."""


def test_what_was_not_asked_for_longest_makes_room() -> None:
    recent: Recent[str, int] = Recent(2)
    for number, name in enumerate("ab", start=1):
        recent.add(name, number)
    assert recent.get("a") == 1
    recent.add("c", 3)
    assert [recent.get(name) for name in "abc"] == [1, None, 3]


def test_several_are_kept_and_found_at_once_and_gone_after_a_clearing() -> None:
    recent: Recent[str, int] = Recent(3)
    recent.add_all({"a": 1, "b": 2, "c": 3, "d": 4})
    assert recent.get_all("dcba") == {"d": 4, "c": 3, "b": 2}
    recent.add("e", 5)
    assert recent.get_all("bcde") == {"b": 2, "c": 3, "e": 5}, "d was asked for longest ago"
    recent.clear()
    assert recent.get_all("bcde") == {}


def test_nothing_is_held_of_another_owner() -> None:
    recent: RecentOf[Thing, str, int] = RecentOf(2)
    first, second = Thing(), Thing()
    recent[first].add("query", 1)
    assert recent[first].get("query") == 1
    assert recent[second].get("query") is None
    recent[second].add("query", 2)
    assert recent[first].get("query") == 1


def test_what_is_added_for_an_owner_who_is_no_more_goes_with_him() -> None:
    recent: RecentOf[Thing, str, Thing] = RecentOf(2)
    owner, found = Thing(), Thing()
    held = weakref.ref(found)
    kept = recent[owner]
    recent[Thing()].add("query", Thing())  # just then, somebody asks the next one
    kept.add("query", found)
    assert recent[owner].get("query") is found
    del found, owner, kept
    gc.collect()
    assert held() is None


def test_several_threads_may_keep_and_find_at_once() -> None:
    recent: RecentOf[Thing, int, int] = RecentOf(50)
    owner, wrong = Thing(), list[int]()

    def work(start: int) -> None:
        for number in range(start, start + 2_000):
            recent[owner].add(number % 97, number % 97)
            wrong.extend(key for key, value in recent[owner].get_all(range(97)).items() if key != value)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
