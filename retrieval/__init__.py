"""From a question to the units that answer it."""
