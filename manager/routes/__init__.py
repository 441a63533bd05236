"""The manager's HTTP: routes parse, call one verb, render."""
