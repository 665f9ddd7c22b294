"""The rungs that answer from the evidence, and the climb from one to the next."""
