"""The mail server that takes bounces, complaints and answers: for addresses that we have signed, and for nothing else.

It runs in the process's own event loop. A mail is acknowledged only after all that it brings is durable: a database
that is away makes the sender keep it. Meant to stand behind the school's own mail server, or open to the world: nobody
can relay through it, none of its answers goes to a third party, and what a connection may cost is bounded.
"""
