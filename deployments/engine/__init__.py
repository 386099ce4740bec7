"""Moves deployments forward, one bounded pass at a time. The row remembers the work, the queue only wakes it."""
