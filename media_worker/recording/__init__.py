"""Recordings: written while a call runs, encoded and sent afterwards by a process of its own."""
