"""Networks trained: one, several at once, on a cluster, many in a search.

``network_run`` is one network from recipe to record, ``fitting`` its training with
``checkpoint``s, ``prediction`` what it reads afterwards; ``executors`` say where, ``search``
looks for better settings.
"""
