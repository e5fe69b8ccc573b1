"""Host algorithms and their networks. None of them knows how a team explores."""
