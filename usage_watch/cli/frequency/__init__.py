"""How often rules would have fired on stored history: judged as the daemon does, over what has settled."""
