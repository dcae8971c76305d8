"""Which examples train and which test, and what leaks between them."""
