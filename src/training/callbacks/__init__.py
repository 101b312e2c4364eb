"""What happens beside training: checkpoints, scores, pictures, the progress bar."""
