"""What several commands share: printing, times, stopping, what becomes of errors."""
