"""Worlds whose numbers come late, what observers say of them, and what of that was wrong."""
