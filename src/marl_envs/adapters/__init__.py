"""Environments of other libraries, stepped by the kernel as if they were our own."""
