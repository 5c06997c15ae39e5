"""Values and decisions. Pure: no clock, no input or output, no logging, no randomness."""
