//! Finding and fetching models by name.
