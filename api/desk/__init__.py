"""The officers' desk: alerts and their turns, the live stream, rosters, messages that did not arrive, figures."""
