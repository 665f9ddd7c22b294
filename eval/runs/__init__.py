"""Every arm on every case: figures, comparisons, reports and the gate."""
