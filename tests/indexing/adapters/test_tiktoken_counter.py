import os
import subprocess
import sys

import pytest

from indexing.adapters.tiktoken_counter import TiktokenCounter
from indexing.errors import IndexingError


def test_counts_as_the_tokenizer_does() -> None:
    counter = TiktokenCounter("o200k_base")
    assert counter.count("") == 0
    assert counter.count("hello world") == 2
    assert counter.name == "o200k_base"
    assert TiktokenCounter("cl100k_base").count("hello world") == 2


def test_special_markers_count_as_plain_text() -> None:
    assert TiktokenCounter().count("<|endoftext|>") > 1


def test_many_are_counted_in_order_and_lone_surrogates_do_no_harm() -> None:
    counter = TiktokenCounter()
    texts = ["one", "", "one two three four", "\ud800 broken", "a" * 50_000]
    assert counter.count_many(texts) == [counter.count(text) for text in texts]


def test_an_unknown_tokenizer_is_named_with_a_remedy() -> None:
    with pytest.raises(IndexingError, match=r"'p50k_base'.*Use `o200k_base`"):
        TiktokenCounter("p50k_base").count("x")


def test_needs_no_network_and_no_llama_index_and_leaves_the_environment_alone() -> None:
    program = (
        "import os, socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from indexing.adapters.tiktoken_counter import TiktokenCounter\n"
        "counter = TiktokenCounter()\n"
        "assert counter.name == 'o200k_base' and 'tiktoken' not in sys.modules\n"
        "assert counter.count('hello world') == 2\n"
        "assert 'llama_index.core' not in sys.modules and 'TIKTOKEN_CACHE_DIR' not in os.environ\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "TIKTOKEN_CACHE_DIR"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
