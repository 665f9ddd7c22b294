"""How good an answer, a ranking or a price is, and how sure a figure."""
