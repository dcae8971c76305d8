"""LIMIT down to the stored files, which DuckDB does not take there itself.

DuckDB hands column selection and filters to an Arrow scan, but reads on after a LIMIT is met, as far as the storage reads
ahead: ten rows of ten million cost a hundred megabytes. Where a statement is nothing but columns of one table and a LIMIT,
the first rows are all it needs, and the scan is told so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.dataset as pds

if TYPE_CHECKING:
    import lance
    import pyarrow as pa


class StoredTable(pds.Dataset):  # type: ignore[misc]
    """A stored table as DuckDB scans it; `limit` rows at most while that is set."""

    def __init__(self, stored: lance.LanceDataset) -> None:
        self._stored = stored
        self.limit: int | None = None

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the table."""
        return self._stored.schema

    def scanner(self, columns: list[str] | None = None, filter: Any = None, **options: Any) -> Any:
        """A scan of some columns of the rows that pass a filter, in stored order."""
        if self.limit is not None and filter is None:
            options["limit"] = self.limit
        return self._stored.scanner(columns=columns, filter=filter, **options)
