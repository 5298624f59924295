"""A small network of real programs for the end-to-end tests."""
