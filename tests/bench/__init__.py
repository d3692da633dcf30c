"""`make bench`: measures what DESIGN §8 budgets, prints it, and writes build/bench.json.

Machines are shared and noisy: each rate is the median of several runs, with the spread beside it, and
says what was measured together with it.
"""
