"""Mining: from checked sequences to patterns with counts, on any number of workers, within bounds."""
