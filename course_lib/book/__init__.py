"""The Jupyter Book: pages made from the executed solutions, the exercises, the results and the docstrings; ``course book``."""
