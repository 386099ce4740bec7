"""Bringing a release out beside the one that runs."""
