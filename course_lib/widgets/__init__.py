"""Pictures, and pictures that move."""
