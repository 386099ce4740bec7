"""Targets of kind `helm`: a chart, rendered and brought out by the real Helm in a process of its own."""
