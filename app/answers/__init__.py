"""What goes in and out: questions, answers, citations, conversation and events, and their JSON."""
