"""What tasks a service is to have: reconcile what is wanted with what is there.

Pure functions of the state: a new leader goes on where the old one stopped, for nothing is
remembered anywhere else.
"""
