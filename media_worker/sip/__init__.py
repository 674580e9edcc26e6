"""The SIP room, the only one that knows pjsua2: one endpoint a process, one thread for it."""
