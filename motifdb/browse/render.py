"""Templates and what they are given: addresses, numbers and times to read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from motifdb.browse.staircase import staircase

if TYPE_CHECKING:
    import jinja2


def address(path: str, fields: Mapping[str, object] | None = None, **more: object) -> str:
    """An address with its fields; those that are None or empty are left out.

    >>> address("/", {"contour": "+1 -2", "page": 3}, page=None, q=0.05)
    '/?contour=%2B1+-2&q=0.05'
    """
    wanted = {**(fields or {}), **more}
    words = urlencode([(k, v) for k, v in wanted.items() if v is not None and v != ""])
    return f"{path}?{words}" if words else path


def environment() -> jinja2.Environment:
    """The templates, every value of which is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("motifdb.browse", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(address=address, staircase=staircase)
    made.filters.update(figure=figure, seconds=clock)
    return made


def figure(value: float | None, digits: int = 2) -> str:
    """A number to read: thousands apart, few digits, an en dash where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if value != 0 and (abs(value) < 10.0**-digits or abs(value) >= 1e7):
        return f"{value:.1e}"
    return f"{value:,.{digits}f}"


def clock(value: float) -> str:
    """A time in a recording: 1:02.35 from a minute on."""
    minutes, rest = divmod(round(value, 2), 60)
    return f"{int(minutes)}:{rest:05.2f}" if minutes else f"{rest:.2f}"
