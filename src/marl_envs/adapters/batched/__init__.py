"""Libraries that step many games at once, as environments of the kernel."""
