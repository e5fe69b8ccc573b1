"""Individual policies: how one agent turns scores into action frequencies."""
