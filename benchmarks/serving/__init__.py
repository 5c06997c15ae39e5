"""What `benchmarks/service.py` is made of: a world of 100 hourly series, and the real daemon in it."""
