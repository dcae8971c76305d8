"""What a database holds in the formats of other programs: readers' formats in, never SQL."""
