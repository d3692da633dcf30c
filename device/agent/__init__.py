"""Fairway's device agent: the same files on MicroPython boards and on CPython.

Imports nothing of ours outside this package, and nothing happens at import.
"""
