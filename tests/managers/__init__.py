"""Tests of real manager processes on the loopback, without daemons."""
