"""The flow: intake, planning, sending, settling, and the clock that never forgets."""
