"""Labelled sets that benchmarks measure on."""
