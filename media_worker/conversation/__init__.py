"""One call: turns, barge-in, tools, timings. Knows neither SIP nor a provider."""
