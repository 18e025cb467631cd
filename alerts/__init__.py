"""From suspected violations to alerts, and from alerts to messages that arrive."""
