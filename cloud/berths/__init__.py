"""Berths: shore-power sessions as they are settled.

events   one event as it came
ledger   what the events of a session come to, and what of a meter's counting no session has
"""
