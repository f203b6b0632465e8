"""Model services: one attempt on the wire each, every failure mapped once to an `AttemptError`."""
