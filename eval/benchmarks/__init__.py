"""Scripts behind `make bench`: medians, and ratios against a baseline in the same run."""
