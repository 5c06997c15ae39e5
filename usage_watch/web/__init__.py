"""What the daemon serves over HTTP: read-only, from what its main thread published last."""
