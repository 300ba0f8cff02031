"""Networks trained: one, several at once, on a cluster, many in a search."""
