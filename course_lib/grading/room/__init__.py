"""What is copied into the grading room and runs there: it imports nothing of the course and knows no answers."""
