"""Measuring answers and what they cost."""
