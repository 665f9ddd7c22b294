"""Work that takes longer than one question: many questions from a file."""
