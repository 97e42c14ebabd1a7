"""What workers of one installation agree on: budgets and breakers, in this process or on Redis."""
