"""Talking to one API server: connections, requests, answers, errors."""
