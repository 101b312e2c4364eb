"""What people look at, drawn: the one place where images, score maps and class maps become a picture."""
