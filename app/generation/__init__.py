"""Asking a model: the port, prompts, calls and their bills."""
