"""Terminals of other makes."""
