"""Reading and writing trees of containers, in a process that is locked into the tree."""
