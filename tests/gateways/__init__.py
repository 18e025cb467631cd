"""Gateways against local servers that speak each provider's protocol and check its signatures; nothing is patched."""
