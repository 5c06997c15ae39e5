"""Budgets in their running periods: read from the store, in words, in a line each, and as data."""
