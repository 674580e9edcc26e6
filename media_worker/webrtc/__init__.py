"""Calls from a browser: the only room that knows aiortc."""
