"""Logs of services and tasks, read wherever they run."""
