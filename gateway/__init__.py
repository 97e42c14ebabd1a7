"""The School Messaging Gateway: who gets what, when, and what became of it."""
