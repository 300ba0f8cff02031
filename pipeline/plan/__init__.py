"""What was asked for, and where its files are.

``plan`` is what was asked for as one value, ``members`` the plans of an ensemble,
``seed_plans`` those of several seeds; ``workspace`` alone knows where files lie; ``requests``
keeps a plan in its run's folder, ``commands`` says what to type for it.
"""
