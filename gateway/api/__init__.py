"""JSON for other systems: `/v1`, strict in what it takes, and problem+json when it refuses."""
