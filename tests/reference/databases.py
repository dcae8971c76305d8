"""Small databases of the kinds that make miners wrong, for hypothesis to draw from."""

from __future__ import annotations

from hypothesis import strategies as st


def trill(n: int) -> list[int]:
    """Two symbols in turn, n in all."""
    return ([1, -1] * n)[:n]


adversarial = st.one_of(
    st.lists(st.lists(st.sampled_from([-2, 1, 3]), max_size=8), max_size=5),
    st.lists(st.lists(st.sampled_from([-127, 127]), max_size=9), max_size=4),
    st.lists(st.integers(0, 9).map(trill), max_size=4),
    st.lists(st.integers(0, 8).map(lambda n: [2] * n), max_size=4),
    st.lists(st.lists(st.sampled_from([1, 2]), max_size=5), max_size=3).map(lambda s: s + s),
)
"""Few kinds of symbols, the outermost ones, trills, constants, and every sequence twice."""
