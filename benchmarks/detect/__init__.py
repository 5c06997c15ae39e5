"""What `detection.py` consists of."""
