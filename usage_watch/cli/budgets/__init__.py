"""Budgets in a terminal: in a line each, in full, and as data."""
