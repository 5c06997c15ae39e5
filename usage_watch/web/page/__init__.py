"""THE PAGE: what people look at when an alert comes. Read-only and without scripts; its words come from `views`."""
