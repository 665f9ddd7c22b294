"""The cheapest settings that keep enough evidence."""
