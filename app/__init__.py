"""The service: answering, costs, and the surfaces."""
