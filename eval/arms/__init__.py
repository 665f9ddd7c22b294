"""What each arm sends for a question, and the dataset made ready for it."""
