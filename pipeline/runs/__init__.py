"""What a run left behind, read back, measured, listed, blended.

``run`` reads a finished run, ``metrics`` measures it, ``ensemble`` averages several;
``comparison`` and ``paired_accuracy`` tell whether one is better; ``ledger`` has what was sent,
``listing`` all of them.
"""
