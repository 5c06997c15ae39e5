"""`usage-watch doctor`: what is looked at, a file each; looking and judging apart."""
