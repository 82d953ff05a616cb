"""Named conversations: their histories, their order, their lives, and where they are kept."""
