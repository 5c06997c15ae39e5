"""Where usage comes from: the analytics API, and what to ask it next."""
