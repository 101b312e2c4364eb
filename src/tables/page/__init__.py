"""report.html: what finished runs left in their folders, on one page that needs no network and no program."""
