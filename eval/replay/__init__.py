"""Traffic and edits in time order, through the answer cache and its rivals."""
