"""One file a noun. A command parses, calls one function, prints; what is heavy is imported inside it."""
