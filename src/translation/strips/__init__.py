"""A frame of any size in bounded memory: the generator works on strips of rows."""
