"""What OpenAI's endpoints have in common: parameters, frames, errors, usage, media."""
