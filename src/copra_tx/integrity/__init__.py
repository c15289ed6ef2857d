"""Whether what came is all that was sent. Numbers in, facts out: no clock, no network, no log."""
