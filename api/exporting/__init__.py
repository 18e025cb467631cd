"""What leaves the system as files: tracks, their manifest and signature, and how many rows may leave."""
