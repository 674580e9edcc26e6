"""Sound of a call: G.711, resampling, capture, playout, voice activity. Pure, no I/O."""
