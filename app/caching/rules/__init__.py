"""What decides about a cached answer: no clock, no store, no model."""
