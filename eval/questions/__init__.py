"""Drafts of questions from a customer's own documents."""
