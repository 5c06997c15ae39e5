"""Budgets in their running periods: read from the store, and in words."""
