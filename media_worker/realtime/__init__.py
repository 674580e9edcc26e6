"""Speech sessions at realtime providers: one file a dialect behind the interface of `session`."""
