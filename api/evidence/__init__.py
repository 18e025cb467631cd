"""The evidence pack of an alert: a report to read, the fixes, what was decided, and proof that nothing was changed."""
