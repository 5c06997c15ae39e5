"""SQLite, and the only SQL in the program: usage history, incidents and the outbox in one file."""
