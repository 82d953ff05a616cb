"""Embeddings: made in this process, or asked of another server."""
