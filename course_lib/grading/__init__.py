"""Grading: a learner's cells run in a sandbox that knows no answers; what comes out is judged outside, as plain data.

``intake`` finds submissions, ``find`` the exercise cells in one, ``splice`` makes a clean notebook of each exercise, ``runner`` runs
these under nbval against a kernel in a ``sandbox``, ``verdict`` judges, ``grade`` does it for a class, ``reports`` and ``pages`` write it up.
"""
