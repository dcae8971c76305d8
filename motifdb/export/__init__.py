"""What a database holds in the formats of other programs: `export` writes, other programs read."""

from motifdb.export.formats import FORMATS
from motifdb.export.gather import Wanted
from motifdb.export.job import Exported, export

__all__ = ["FORMATS", "Exported", "Wanted", "export"]
