"""Vendors behind the ports of `indexing`."""
