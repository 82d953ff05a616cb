"""The HTTP side: routes, middlewares, the chat handler, pages, and the life of the server."""
