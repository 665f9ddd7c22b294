"""Vendors behind the ports of `app`."""
