"""Environments that come with the project; they register like anybody else's."""
