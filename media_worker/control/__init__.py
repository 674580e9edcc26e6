"""The worker towards the web side: plans by HTTP, events and commands by the link."""
