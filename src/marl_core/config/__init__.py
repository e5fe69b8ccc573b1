"""Run configs: pydantic models, YAML with line numbers, dotted overrides."""
