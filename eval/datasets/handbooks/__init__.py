"""Handbooks that anybody can fetch, and our own questions over them. No text of the pages is in the repository."""
