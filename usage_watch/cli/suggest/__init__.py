"""Rules that stored history calls for, each with how often it would have fired."""
