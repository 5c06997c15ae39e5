"""The door to YAML: strict, with the line and column of everything."""

from usage_watch.yamlfile.loader import MAX_BYTES, MAX_DEPTH, MAX_FAULTS, MAX_NODES, Document, load, parse

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_FAULTS", "MAX_NODES", "Document", "load", "parse"]
