"""`make up`: everything of a development installation under one supervisor (`python -m releasemgr.up`)."""
