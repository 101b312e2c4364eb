"""What knows nothing of networks, runs or settings: files, errors, processes, devices."""
