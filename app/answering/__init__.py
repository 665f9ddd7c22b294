"""The second flow: question to answer, citations and receipt."""
