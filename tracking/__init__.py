"""From orders and fixes to presence, episodes and suspected violations."""
