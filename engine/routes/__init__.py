"""HTTP routes: parse, call one verb, render."""
