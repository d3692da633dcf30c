from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.ranges import Ranges, spans


@given(st.lists(st.integers(0, 40)))
def test_against_a_set(numbers):
    ranges, model = Ranges(), set()
    for n in numbers:
        assert ranges.add(n) == (n not in model)
        model.add(n)
        assert [x in ranges for x in range(-1, 42)] == [x in model for x in range(-1, 42)]
    listed = list(ranges)
    assert {n for first, last in listed for n in range(first, last + 1)} == model
    # Disjoint, in order, and never touching: there is one way to write a set.
    assert all(b[0] > a[1] + 1 for a, b in pairwise(listed))
    assert list(Ranges(listed)) == listed
    assert ranges.missing() == (max(model) + 1 - min(model) - len(model) if model else 0)
    assert {n for first, last in ranges.gaps() for n in range(first, last + 1)} == (
        set(range(min(model), max(model))) - model if model else set()
    )
    assert ranges.whole == (ranges.missing() == 0)


def test_spans():
    assert spans([5, 3, 4, 9, 9]) == [(3, 5), (9, 9)]
    assert spans([]) == []
