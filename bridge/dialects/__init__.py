"""A wire format each: bytes → Turn, events → frames, error → body. Pure and synchronous."""
