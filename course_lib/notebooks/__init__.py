"""From the one source of a lab to the two notebooks made of it: the executed solution and the lab with the answers removed."""
