"""How to talk to a provider; knows nothing of schools, the database or the queue."""
