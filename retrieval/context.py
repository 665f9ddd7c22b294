"""How much of the evidence an answer reads: the settings of selection and compression."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from indexing.language.question_form import QuestionForm
from indexing.tokens import TokenCounter
from retrieval.compression import compress
from retrieval.passages import Context
from retrieval.retriever import Evidence
from retrieval.selection import SelectionSettings, select_passages
from retrieval.weights import Weights

UNIT_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "passage": ("passage_score_gap", "log_passage_rank", "passage_cosine_gap", "passage_coverage"),
    "form": ("item_for_list", "number_wanted_and_there", "number_wanted_and_missing", "item", "table", "code"),
}
"""The groups of unit features whose learned weights a profile may scale: how good the passage is, and what form the unit has."""


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """What decides how much of the evidence an answer reads.

    `unit_scales` multiply the learned weights of the features of a group of `UNIT_GROUPS`; a group that is not named keeps them.
    `profile` is the name of the profile that they are in force by; `None` for the plain settings.
    """

    budget_tokens: int
    selection: SelectionSettings = field(default_factory=SelectionSettings)
    unit_scales: Mapping[str, float] = field(default_factory=dict)
    profile: str | None = field(default=None, compare=False)

    def scaled(self, weights: Weights) -> Weights:
        """The learned weights with the scales applied."""
        if not self.unit_scales:
            return weights
        factors = {name: scale for group, scale in self.unit_scales.items() for name in UNIT_GROUPS[group]}
        return replace(weights, unit={name: weight * factors.get(name, 1.0) for name, weight in weights.unit.items()})

    def make_context(self, evidence: Evidence, weights: Weights, counter: TokenCounter) -> Context:
        """Select passages and compress them. `weights` are the learned ones; the scales are applied here."""
        selected = select_passages(evidence, self.selection)
        return compress(evidence, selected, self.scaled(weights), counter, self.budget_tokens)

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON, keys in a fixed order."""
        return {
            "budget_tokens": self.budget_tokens,
            "max_score_gap": self.selection.max_score_gap,
            "ceilings": {form.value: self.selection.ceilings[form] for form in QuestionForm},
            "duplicate_overlap": self.selection.duplicate_overlap,
            "unit_scales": {group: self.unit_scales.get(group, 1.0) for group in UNIT_GROUPS},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ContextSettings":
        """The settings that `to_json` laid out. Raises `KeyError`, `TypeError` or `ValueError` on anything else."""
        budget, gap, overlap = int(content["budget_tokens"]), float(content["max_score_gap"]), float(content["duplicate_overlap"])
        ceilings = {form: int(content["ceilings"][form.value]) for form in QuestionForm}
        scales = {group: float(content["unit_scales"][group]) for group in UNIT_GROUPS}
        if budget < 1 or min(ceilings.values()) < 1 or not all(map(math.isfinite, (gap, overlap, *scales.values()))):
            raise ValueError("a value is out of its range")
        return cls(budget, SelectionSettings(gap, ceilings, overlap), scales)
