"""Hollins Lane School: the invented school that ships with the gateway, and the script that builds it."""
