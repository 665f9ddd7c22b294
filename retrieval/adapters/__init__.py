"""Vendors behind the ports of `retrieval`."""
