"""What is asked: cases, their quotes, and the datasets that come with Farthing."""
