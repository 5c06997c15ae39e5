"""A local emulator of the analytics API over a made-up organization. Imports nothing of the program it feeds."""
