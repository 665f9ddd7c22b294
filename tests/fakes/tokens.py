"""A token counter that counts words and marks: for tests that need counts and no tokenizer."""

import re


class FakeTokenCounter:
    name = "words-and-marks"

    def count(self, text: str) -> int:
        return len(re.findall(r"\w+|[^\w\s]", text))

    def count_many(self, texts: list[str]) -> list[int]:
        return [self.count(text) for text in texts]
