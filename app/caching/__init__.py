"""The verified answer cache: when an answer that was given before may be given again."""
