"""What translated frames are good for: segmenters trained on them, and judges of what they keep."""
