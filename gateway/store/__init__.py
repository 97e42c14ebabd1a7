"""The only SQL: tables, and one module of functions per subject over a connection."""
