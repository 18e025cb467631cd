"""The command line ``hulan``, one file per group of commands."""
