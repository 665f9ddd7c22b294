"""Money: prices, and what one answer cost."""
